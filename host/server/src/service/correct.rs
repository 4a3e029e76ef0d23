//! After something was recorded that was not so.

use tollgate_domain::{Call, Charge, EventKey, QuantityName, SubjectPath, Usage, UsageError, Usd};
use tollgate_engine::{Payer, PolicySet};
use tollgate_ledger::{Amendment, Corrected, Event, Fingerprint, LedgerError, Turn, Use};

use super::{Error, Service};

/// What a caller says was not as recorded.
pub struct CorrectionAsk {
    pub subject: SubjectPath,
    /// The event's name, or its own id.
    pub event: String,
    /// The caller's own name for the correction.
    pub key: EventKey,
    pub fingerprint: Fingerprint,
    pub used: Amended,
    /// The caller's own word for what the event costs now.
    pub cost: Option<Usd>,
    pub reason: Option<String>,
    pub turn: Turn,
}

/// How a caller says what was used instead.
pub enum Amended {
    /// More or less of some quantities; there is never less than nothing of one.
    Delta(Vec<(QuantityName, i64)>),
    Replacement(Usage),
}

impl Service {
    /// Records what an event counts from now on, priced as of when it occurred.
    pub async fn correct(&self, ask: CorrectionAsk) -> Result<Corrected, Error> {
        if let Some(first) = self.ledger.corrected_in(&ask.turn)? {
            return Ok(first);
        }
        let (set, now) = (self.policy_set_for(&ask.subject)?, self.now());
        loop {
            if let Some(first) =
                self.ledger.corrected_before(&ask.subject, &ask.key, &ask.fingerprint)?
            {
                return Ok(first);
            }
            let found = self.ledger.event(&ask.subject, &ask.event)?;
            let id = found.ok_or_else(|| Error::UnknownEvent(ask.subject.clone()))?.id;
            let counted = self.ledger.counted(id)?;
            let usage = ask.used.usage(&counted.used.usage)?;
            let payer = self.payer(&set, &ask.subject).await?;
            let Repriced { cost, charges, given } =
                reprice(&set, &counted.event, &counted.used, &usage, ask.cost, &payer)?;
            let amendment = Amendment {
                key: ask.key.clone(),
                fingerprint: ask.fingerprint,
                corrects: id,
                before: counted.used,
                after: Use { usage, cost },
                charges,
                cost_given: given,
                reason: ask.reason.clone(),
                revision: set.revision().to_owned(),
            };
            let mut alerter = set.alerter();
            let due = |readings: &[_]| alerter.due(readings);
            match self.ledger.correct(&amendment, &ask.turn, set.plans(), now, due).await {
                // Somebody else corrected it in between, which leaves something else to correct.
                Err(LedgerError::CorrectedMeanwhile) => {}
                corrected => return Ok(corrected?),
            }
        }
    }

    /// The corrections of an event, in the order in which they were made.
    pub fn corrections(&self, event: tollgate_ledger::EventId) -> Result<Vec<Corrected>, Error> {
        Ok(self.ledger.corrections(event)?)
    }
}

impl Amended {
    fn usage(&self, before: &Usage) -> Result<Usage, UsageError> {
        let delta = match self {
            Self::Replacement(usage) => return Ok(usage.clone()),
            Self::Delta(delta) => delta,
        };
        let mut amounts: Vec<_> =
            before.iter().map(|(name, amount)| (name.clone(), amount)).collect();
        for (name, change) in delta {
            let at = amounts.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
                amounts.push((name.clone(), 0));
                amounts.len() - 1
            });
            amounts[at].1 = amounts[at].1.saturating_add_signed(*change);
        }
        Usage::new(amounts)
    }
}

/// What an event costs now, and whether its caller said so.
pub(super) struct Repriced {
    pub cost: Option<Usd>,
    pub charges: Vec<Charge>,
    pub given: bool,
}

/// What the event costs with another usage. A cost that its caller gave stays until the caller
/// gives another: no price list knows what was agreed.
pub(super) fn reprice(
    set: &PolicySet,
    event: &Event,
    counted: &Use,
    usage: &Usage,
    cost: Option<Usd>,
    payer: &Payer,
) -> Result<Repriced, Error> {
    let report = &event.report;
    if cost.is_some() || report.cost_given {
        return Ok(Repriced { cost: cost.or(counted.cost), charges: vec![], given: true });
    }
    let call = Call {
        subject: report.subject.clone(),
        provider: report.provider.clone(),
        model: report.model.clone(),
        endpoint: report.endpoint.clone(),
        usage: usage.clone(),
        max_tokens: None,
        features: vec![],
        service_tier: report.service_tier.clone(),
        region: report.region.clone(),
        metadata: report.metadata.clone(),
    };
    let quote = set.price(&call, report.occurred_at, payer)?;
    let (cost, charges) = quote.map(|quote| (quote.cost, quote.charges)).unzip();
    Ok(Repriced { cost, charges: charges.unwrap_or_default(), given: false })
}
