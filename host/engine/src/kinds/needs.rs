//! What a policy asked to be told, beyond what every call carries.

use super::Kind;

/// Names that a policy may put in `description.needs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Usage,
    Quotas,
    Endpoint,
    ServiceTier,
    Region,
    Features,
    Metadata,
    Subject,
    LocalWeekday,
    LocalHour,
    EstimatedCost,
    Plan,
    PeriodCost,
    Average,
    Overrides,
}

/// A set of [`Need`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs(u16);

impl Need {
    const ALL: [(Self, &str); 13] = [
        (Self::Usage, "usage"),
        (Self::Quotas, "quotas"),
        (Self::Endpoint, "endpoint"),
        (Self::ServiceTier, "service-tier"),
        (Self::Region, "region"),
        (Self::Features, "features"),
        (Self::Metadata, "metadata"),
        (Self::Subject, "subject"),
        (Self::LocalWeekday, "local-weekday"),
        (Self::LocalHour, "local-hour"),
        (Self::EstimatedCost, "estimated-cost"),
        (Self::Plan, "plan"),
        (Self::PeriodCost, "period-cost"),
    ];

    /// What a pricing policy may wish for besides, once it is configured.
    const WISHES: [(Self, &str); 2] = [(Self::Average, "average"), (Self::Overrides, "overrides")];

    /// Whether policies of this kind can be told.
    fn is_known_to(self, kind: Kind) -> bool {
        match kind {
            Kind::Tier => !matches!(self, Self::Plan | Self::PeriodCost),
            Kind::Pricing => !matches!(
                self,
                Self::Quotas
                    | Self::LocalWeekday
                    | Self::LocalHour
                    | Self::EstimatedCost
                    | Self::Plan
                    | Self::PeriodCost
            ),
            Kind::Adjustment => !matches!(
                self,
                Self::Quotas | Self::LocalWeekday | Self::LocalHour | Self::EstimatedCost
            ),
            Kind::Alert => false,
        }
    }
}

impl Needs {
    /// Reads `description.needs`; the error is the first name that this host cannot serve.
    pub fn parse(kind: Kind, names: &[String]) -> Result<Self, String> {
        names.iter().try_fold(Self::default(), |needs, name| {
            let known = Need::ALL.iter().find(|(need, n)| n == name && need.is_known_to(kind));
            let (need, _) = known.ok_or(name)?;
            Ok(Self(needs.0 | need.bit()))
        })
    }

    /// Adds what a policy wishes once it is configured; the error is the first word that this host
    /// does not know.
    pub fn and_wishes(self, words: &[String]) -> Result<Self, String> {
        words.iter().try_fold(self, |needs, word| {
            let known = Need::WISHES.iter().find(|(_, name)| name == word);
            let (need, _) = known.ok_or(word)?;
            Ok(Self(needs.0 | need.bit()))
        })
    }

    /// Just these.
    pub fn of(needs: impl IntoIterator<Item = Need>) -> Self {
        Self(needs.into_iter().fold(0, |all, need| all | need.bit()))
    }

    /// With `usage`, which pricing policies are always told.
    pub fn and_usage(self) -> Self {
        Self(self.0 | Need::Usage.bit())
    }

    pub fn has(self, need: Need) -> bool {
        self.0 & need.bit() != 0
    }

    /// Whether anything is needed that takes the form of a fact.
    pub fn has_facts(self) -> bool {
        self.0 & !(Need::Usage.bit() | Need::Quotas.bit()) != 0
    }
}

impl Need {
    fn bit(self) -> u16 {
        1 << self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_that_this_host_cannot_serve_is_named() {
        let parse = |kind, name: &str| Needs::parse(kind, &["usage".into(), name.into()]);
        assert!(parse(Kind::Tier, "local-hour").unwrap().has(Need::LocalHour));
        assert_eq!(parse(Kind::Pricing, "local-hour"), Err("local-hour".into()));
        assert_eq!(parse(Kind::Tier, "weather"), Err("weather".into()));
        assert_eq!(parse(Kind::Alert, "subject"), Err("usage".into()));
        let wishing = |word: &str| Needs::default().and_wishes(&[word.into()]);
        assert!(wishing("average").unwrap().has(Need::Average));
        assert_eq!(wishing("usage"), Err("usage".into()));
        assert_eq!(parse(Kind::Pricing, "average"), Err("average".into()));
    }
}
