//! From a case to what the host would ask.

use anyhow::{Context, bail};
use serde_json::Value;
use tollgate_domain::{
    Calendar, Call, Charge, LevelState, Meter, Mode, QuotaState, Quote, Reading, Snapshot, Status,
    SubjectPath, Timestamp, Usage, Usd, Window,
};
use tollgate_engine::{Average, Kind, Payer, Question};

use super::{
    Ask, Case, StatedCall, StatedCharge, StatedLevel, StatedModel, StatedPayer, StatedQuota,
    StatedQuote, StatedReading,
};

/// A Monday: 2026-08-10T12:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_786_363_200_000_000);

const SUBJECT: &str = "somebody";

impl Case {
    /// What the case asks of a policy of this kind.
    pub fn question(&self, kind: Kind) -> anyhow::Result<Question> {
        let ask = self.ask.unwrap_or(match kind {
            Kind::Tier => Ask::Evaluate,
            Kind::Pricing if self.response.is_some() => Ask::Extract,
            Kind::Pricing => Ask::Price,
            Kind::Adjustment => Ask::Adjust,
            Kind::Alert => Ask::Due,
        });
        let at = self.at.unwrap_or(AT);
        Ok(match (kind, ask) {
            (Kind::Tier, Ask::Evaluate) => {
                let call = self.call()?;
                Question::Evaluate {
                    snapshot: Snapshot { at, levels: self.levels(&call.subject)? },
                    call,
                    estimated_cost: self.estimated_cost.map(|cost| Usd(cost.0)),
                }
            }
            (Kind::Pricing, Ask::Price) => Question::Price { call: self.call()?, at },
            (Kind::Pricing, Ask::Estimate) => {
                let average = self.average.iter().map(|(name, amount)| (name.clone(), *amount));
                Question::Estimate { call: self.call()?, at, average: Average(average.collect()) }
            }
            (Kind::Pricing, Ask::Extract) => self.extract()?,
            (Kind::Adjustment, Ask::Adjust) => {
                let StatedPayer { plan, period_cost } = &self.payer;
                let period_cost = period_cost.map(|cost| Usd(cost.0));
                let payer = Payer { plan: plan.clone(), period_cost };
                let quote = self.quote.as_ref().context("`quote` is missing")?.to_quote()?;
                Question::Adjust { call: self.call()?, at, payer, quote }
            }
            (Kind::Alert, Ask::Due) => Question::Due { readings: self.readings()? },
            (Kind::Alert, Ask::Recommend) => Question::Recommend { readings: self.readings()? },
            (Kind::Alert, Ask::Candidates) => Question::Candidates {
                subject: SUBJECT.parse()?,
                models: self.used.iter().map(StatedModel::to_name).collect(),
            },
            (Kind::Alert, Ask::Advise) => {
                let outlook = self.outlook.as_ref().context("`outlook` is missing")?;
                let readings = self.readings.iter().map(StatedReading::to_reading);
                let readings = readings.collect::<Result<_, _>>()?;
                Question::Advise { outlook: outlook.to_outlook(SUBJECT.parse()?, readings)? }
            }
            (kind, ask) => bail!("a policy of the kind {kind} is never asked to {}", word(ask)),
        })
    }

    fn call(&self) -> anyhow::Result<Call> {
        self.call.as_ref().context("`call` is missing")?.to_call()
    }

    fn extract(&self) -> anyhow::Result<Question> {
        let stated = self.response.as_ref().context("`response` is missing")?;
        let response = match &stated.body {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        Ok(Question::Extract {
            provider: stated.provider.clone(),
            flavor: stated.flavor.clone().unwrap_or_else(|| "default".to_owned()),
            response,
            subject: None,
        })
    }

    fn levels(&self, subject: &SubjectPath) -> anyhow::Result<Vec<LevelState>> {
        let mut path: Vec<_> = subject.levels().collect();
        if self.levels.len() > path.len() {
            let (levels, steps) = (self.levels.len(), path.len());
            bail!("there are {levels} levels, but the subject {subject} has {steps}");
        }
        let unstated = path.split_off(self.levels.len());
        let stated = self.levels.iter().zip(path).map(|(level, own)| level.to_state(own));
        let bare = unstated.into_iter().map(|own| StatedLevel::NONE.to_state(own));
        stated.chain(bare).collect()
    }

    fn readings(&self) -> anyhow::Result<Vec<Reading>> {
        if self.readings.is_empty() {
            bail!("`readings` is missing");
        }
        self.readings.iter().map(StatedReading::to_reading).collect()
    }
}

impl StatedCall {
    fn to_call(&self) -> anyhow::Result<Call> {
        let usage = self.usage.iter().map(|(name, amount)| (name.clone(), *amount));
        Ok(Call {
            subject: self.subject.clone().map_or_else(|| SUBJECT.parse(), Ok)?,
            provider: self.provider.clone(),
            model: self.model.clone(),
            endpoint: self.endpoint.clone(),
            usage: Usage::new(usage).context("`call.usage`")?,
            max_tokens: self.max_tokens,
            features: self.features.clone(),
            service_tier: self.service_tier.clone(),
            region: self.region.clone(),
            metadata: self.metadata.clone(),
        })
    }
}

impl StatedLevel {
    const NONE: Self = Self { subject: None, plan: None, timezone: None, quotas: Vec::new() };

    fn to_state(&self, own: SubjectPath) -> anyhow::Result<LevelState> {
        let mut calendar = Calendar::default();
        if let Some(name) = &self.timezone {
            let timezone = name.parse();
            calendar.timezone = timezone.with_context(|| format!("`timezone` {name}"))?;
        }
        Ok(LevelState {
            subject: self.subject.clone().unwrap_or(own),
            calendar,
            plan: self.plan.clone(),
            terms: None,
            status: Status::Active,
            quotas: self.quotas.iter().map(StatedQuota::to_state).collect::<Result<_, _>>()?,
        })
    }
}

impl StatedQuota {
    /// With some meter and window, which tier policies are not shown.
    fn to_state(&self) -> anyhow::Result<QuotaState> {
        Ok(QuotaState {
            name: self.name.clone(),
            meter: "calls".parse::<Meter>()?,
            mode: Mode::Hard,
            window: Window::Month,
            limit: self.limit.map(|limit| limit.0),
            grace_percent: 0,
            used: self.used.0,
            reserved: self.reserved.0,
            requested: Some(self.requested.map_or_else(|| 1.into(), |asked| asked.0)),
            unpriced: false,
            resets_at: None,
        })
    }
}

impl StatedReading {
    fn to_reading(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            subject: self.subject.clone().map_or_else(|| SUBJECT.parse(), Ok)?,
            plan: self.plan.clone(),
            quota: self.quota.clone(),
            meter: self.meter.0.clone(),
            provider: self.provider.clone(),
            window: self.window.as_ref().map_or(Window::Month, |window| window.0),
            limit: self.limit.0,
            before: self.before.0,
            after: self.after.0,
            raised: self.raised.clone(),
        })
    }
}

impl StatedQuote {
    fn to_quote(&self) -> anyhow::Result<Quote> {
        let charges = self.charges.iter().map(StatedCharge::to_charge).collect::<Option<_>>();
        let quote = charges.and_then(|charges| Quote::new(self.entry.clone(), charges));
        quote.context("`quote` comes to more than there is")
    }
}

impl StatedCharge {
    fn to_charge(&self) -> Option<Charge> {
        Some(Charge {
            quantity: self.quantity.clone(),
            amount: self.amount.into(),
            unit_price: Usd(self.unit_price.0),
            cost: Usd(self.unit_price.0.checked_times(self.amount)?),
            side: self.side,
        })
    }
}

fn word(ask: Ask) -> &'static str {
    match ask {
        Ask::Evaluate => "evaluate",
        Ask::Price => "price",
        Ask::Estimate => "estimate",
        Ask::Adjust => "adjust a price",
        Ask::Extract => "extract",
        Ask::Due => "say what is due",
        Ask::Recommend => "recommend",
        Ask::Candidates => "name candidates",
        Ask::Advise => "advise",
    }
}
