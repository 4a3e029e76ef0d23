//! Which models are comparable, and which of them would have cost less: an operator's word, and the
//! host's arithmetic.

use serde::Deserialize;
use tollgate_plugin::advice::{Advice, Candidate, Model, ModelUse, Month, Outlook};
use tollgate_plugin::{Decimal, Pointer, Problems};

/// Models that may serve instead of others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternatives {
    /// Whose models they serve instead of.
    provider: String,
    /// Names, or beginnings and a `*`; empty for calls without a model.
    #[serde(default)]
    models: Vec<String>,
    by: Vec<Alternative>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alternative {
    /// The same provider, unless stated.
    provider: Option<String>,
    /// Absent for a provider without models.
    model: Option<String>,
}

/// From where on a saving is worth a word.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorthSaying {
    /// In USD, in a month.
    usd: Decimal,
    /// Of what the use cost.
    percent: u32,
}

/// A use that would have cost less.
struct Cheaper<'o> {
    month: &'o Month,
    used: &'o ModelUse,
    by: &'o Model,
    cost: Decimal,
    saving: Decimal,
}

impl Alternatives {
    pub(crate) fn check(&self, at: &Pointer, problems: &mut Problems) {
        problems.unless(!self.provider.is_empty(), &at.to("provider"), "is empty");
        problems.unless(!self.by.is_empty(), &at.to("by"), "is empty");
        for (by, at) in self.by.iter().zip(at.to("by").items()) {
            let named = by.provider.is_some() || by.model.is_some();
            problems.unless(named, &at, "must name a model, a provider or both");
        }
    }

    fn are_for(&self, used: &Model) -> bool {
        let named = match &used.model {
            None => self.models.is_empty(),
            Some(model) => self.models.iter().any(|name| match name.strip_suffix('*') {
                Some(beginning) => model.starts_with(beginning),
                None => model == name,
            }),
        };
        self.provider == used.provider && named
    }
}

/// What the host shall price: no model instead of itself, and none twice.
pub(crate) fn candidates(alternatives: &[Alternatives], used: &[Model]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    for (instead_of, used) in (0..).zip(used) {
        let own = alternatives.iter().filter(|it| it.are_for(used));
        for by in own.flat_map(|it| &it.by) {
            let provider = by.provider.clone().unwrap_or_else(|| used.provider.clone());
            let candidate =
                Candidate { instead_of, by: Model { provider, model: by.model.clone() } };
            if candidate.by != *used && !all.contains(&candidate) {
                all.push(candidate);
            }
        }
    }
    all
}

/// For each model at most one word: the best of its alternatives, on the latest month that has
/// passed or, where there was nothing to save in that, on the month that runs. The largest saving
/// first.
pub(crate) fn advise(outlook: &Outlook, worth_saying: WorthSaying) -> Vec<Advice> {
    let mut found: Vec<Cheaper<'_>> = Vec::new();
    for month in outlook.months.iter().rev() {
        for used in &month.uses {
            let known = found.iter().any(|it| it.used.of == used.of);
            let cheaper = best(month, used).filter(|it| worth_saying.holds(it));
            found.extend(cheaper.filter(|_| !known));
        }
    }
    found.sort_by_key(|cheaper| std::cmp::Reverse(cheaper.saving));
    found.iter().map(|cheaper| cheaper.words(&outlook.subject)).collect()
}

fn best<'o>(month: &'o Month, used: &'o ModelUse) -> Option<Cheaper<'o>> {
    // Whoever paid less than today's prices would have saved less too.
    let paid = used.today.map_or(used.cost, |today| today.min(used.cost));
    let cheaper = used.alternatives.iter().filter_map(|alternative| {
        let saving = paid.minus(alternative.cost).ok()?;
        Some(Cheaper { month, used, by: &alternative.by, cost: alternative.cost, saving })
    });
    cheaper.max_by(|a, b| a.saving.cmp(&b.saving))
}

impl WorthSaying {
    pub(crate) fn check(&self, at: &Pointer, problems: &mut Problems) {
        problems.unless(!self.usd.is_negative(), &at.to("usd"), "must not be negative");
        problems.unless(self.percent <= 100, &at.to("percent"), "must be 100 or less");
    }

    fn holds(self, cheaper: &Cheaper<'_>) -> bool {
        let saving = cheaper.saving;
        !saving.is_negative()
            && !saving.is_zero()
            && saving >= self.usd
            && saving.reaches_percent(self.percent, cheaper.used.cost)
    }
}

impl Cheaper<'_> {
    fn words(&self, subject: &str) -> Advice {
        let (own, by) = (name(&self.used.of), name(self.by));
        let when = match self.month.passed_percent {
            100.. => format!("in {}", self.month.period),
            _ => format!("so far in {}", self.month.period),
        };
        let Self { used, cost, saving, .. } = self;
        let message = format!(
            "{subject} used {own} for {} USD {when}. {by} would have cost {cost} USD for the same \
             use: {saving} USD less.",
            used.cost
        );
        Advice {
            by: Some(self.by.clone()),
            saving: Some(*saving),
            ..Advice::new("cheaper_model", format!("{by} costs less than {own}"), message)
        }
    }
}

fn name(model: &Model) -> &str {
    model.model.as_ref().unwrap_or(&model.provider)
}
