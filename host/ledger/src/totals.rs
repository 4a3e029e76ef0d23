//! What was used, added up.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tollgate_domain::{Amount, Meter, ModelId, ProviderId, QuantityName, Quota, Usage, Usd};

use crate::correction::Use;
use crate::event::Event;

/// Sums over events, or over holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub events: u64,
    /// Events with a status code of 400 or above, or an error.
    pub failed: u64,
    /// Events that nobody priced.
    pub unpriced: u64,
    /// Events that state a response time, and the sum of those, in milliseconds.
    pub timed: u64,
    pub response_time_ms: u64,
    pub cost: Usd,
    /// In the order of their names. A call seldom has more than four.
    #[serde(with = "in_place")]
    quantities: SmallVec<[(QuantityName, u64); 4]>,
}

/// A sum left what can be counted exactly: 0 to 2⁶⁴ − 1, or 1.7 × 10²⁰ USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a total is too large to be counted exactly, or less than nothing")]
pub struct Overflow;

impl Totals {
    /// What one event adds.
    pub fn of_event(event: &Event) -> Self {
        let report = &event.report;
        Self {
            events: 1,
            failed: u64::from(report.failed()),
            unpriced: u64::from(report.cost.is_none()),
            timed: u64::from(report.response_time_ms.is_some()),
            response_time_ms: report.response_time_ms.unwrap_or(0),
            ..Self::of_usage(&report.usage, report.cost)
        }
    }

    /// What a use counts, whatever else is known of it.
    pub fn of_use(used: &Use) -> Self {
        let unpriced = u64::from(used.cost.is_none());
        Self { unpriced, ..Self::of_usage(&used.usage, used.cost) }
    }

    /// What a hold takes.
    pub fn of_usage(usage: &Usage, cost: Option<Usd>) -> Self {
        let quantities = usage.iter().map(|(name, amount)| (name.clone(), amount)).collect();
        Self { cost: cost.unwrap_or_default(), quantities, ..Self::default() }
    }

    pub fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        self.combine(other, u64::checked_add, Usd::checked_add)
    }

    /// Takes away what a correction says was not used. What has come to nothing stays, as nothing.
    pub fn take(&mut self, other: &Self) -> Result<(), Overflow> {
        self.combine(other, u64::checked_sub, Usd::checked_sub)
    }

    fn combine(
        &mut self,
        other: &Self,
        count: fn(u64, u64) -> Option<u64>,
        money: fn(Usd, Usd) -> Option<Usd>,
    ) -> Result<(), Overflow> {
        let count = |a, b| count(a, b).ok_or(Overflow);
        self.events = count(self.events, other.events)?;
        self.failed = count(self.failed, other.failed)?;
        self.unpriced = count(self.unpriced, other.unpriced)?;
        self.timed = count(self.timed, other.timed)?;
        self.response_time_ms = count(self.response_time_ms, other.response_time_ms)?;
        self.cost = money(self.cost, other.cost).ok_or(Overflow)?;
        for (name, amount) in &other.quantities {
            match self.quantities.binary_search_by(|(own, _)| own.cmp(name)) {
                Ok(at) => self.quantities[at].1 = count(self.quantities[at].1, *amount)?,
                Err(at) => self.quantities.insert(at, (name.clone(), count(0, *amount)?)),
            }
        }
        Ok(())
    }

    /// Takes back what a hold took.
    pub fn subtract(&mut self, other: &Self) {
        self.cost = self.cost.checked_sub(other.cost).unwrap_or_default();
        for (name, amount) in &other.quantities {
            if let Ok(at) = self.quantities.binary_search_by(|(own, _)| own.cmp(name)) {
                self.quantities[at].1 = self.quantities[at].1.saturating_sub(*amount);
            }
        }
        self.quantities.retain(|(_, amount)| *amount > 0);
    }

    pub fn quantity(&self, name: &str) -> u64 {
        let at = self.quantities.binary_search_by(|(own, _)| own.as_str().cmp(name));
        at.map_or(0, |at| self.quantities[at].1)
    }

    pub fn quantities(&self) -> impl Iterator<Item = (&QuantityName, u64)> {
        self.quantities.iter().map(|(name, amount)| (name, *amount))
    }

    /// Input and output tokens together.
    pub fn tokens(&self) -> u64 {
        self.quantity("input_tokens").saturating_add(self.quantity("output_tokens"))
    }

    /// What a quota on this meter counts.
    pub fn read(&self, meter: &Meter) -> Amount {
        match meter {
            Meter::Tokens => self.tokens().into(),
            Meter::Cost => self.cost.0,
            Meter::Quantity(name) => self.quantity(name.as_str()).into(),
        }
    }

    fn is_empty(&self) -> bool {
        self.events == 0 && self.cost == Usd::ZERO && self.quantities.is_empty()
    }
}

/// Totals by provider and model: what any quota can be read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table(
    /// Most subjects use one model at a time, and every event copies its account's tables.
    #[serde(with = "in_place")]
    SmallVec<[Cell; 1]>,
);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub provider: ProviderId,
    pub model: Option<ModelId>,
    pub totals: Totals,
}

impl Table {
    pub fn add(
        &mut self,
        provider: &ProviderId,
        model: Option<&ModelId>,
        totals: &Totals,
    ) -> Result<(), Overflow> {
        match self.find(provider, model) {
            Ok(at) => self.0[at].totals.add(totals),
            Err(at) => {
                let (provider, model) = (provider.clone(), model.cloned());
                if self.0.len() == self.0.capacity() {
                    // Most tables have one cell or two, and there are millions of tables.
                    self.0.reserve_exact(self.0.len().div_ceil(2).max(1));
                }
                self.0.insert(at, Cell { provider, model, totals: totals.clone() });
                Ok(())
            }
        }
    }

    pub fn add_all(&mut self, other: &Self) -> Result<(), Overflow> {
        let mut cells = other.0.iter();
        cells.try_for_each(|cell| self.add(&cell.provider, cell.model.as_ref(), &cell.totals))
    }

    /// Takes away what a correction says was not used.
    pub fn take(
        &mut self,
        provider: &ProviderId,
        model: Option<&ModelId>,
        totals: &Totals,
    ) -> Result<(), Overflow> {
        match self.find(provider, model) {
            Ok(at) => self.0[at].totals.take(totals),
            Err(_) => Err(Overflow),
        }
    }

    pub fn take_all(&mut self, other: &Self) -> Result<(), Overflow> {
        let mut cells = other.0.iter();
        cells.try_for_each(|cell| self.take(&cell.provider, cell.model.as_ref(), &cell.totals))
    }

    /// Takes back what a hold took.
    pub fn subtract(&mut self, provider: &ProviderId, model: Option<&ModelId>, totals: &Totals) {
        if let Ok(at) = self.find(provider, model) {
            self.0[at].totals.subtract(totals);
            if self.0[at].totals.is_empty() {
                self.0.remove(at);
            }
        }
    }

    /// What a quota counts of this.
    pub fn read(&self, quota: &Quota) -> Amount {
        self.0
            .iter()
            .filter(|cell| quota.covers(&cell.provider, cell.model.as_ref()))
            .fold(Amount::ZERO, |sum, cell| sum.saturating_add(cell.totals.read(&quota.meter)))
    }

    pub fn cells(&self) -> &[Cell] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, provider: &ProviderId, model: Option<&ModelId>) -> Result<usize, usize> {
        self.0.binary_search_by(|cell| {
            cell.provider.cmp(provider).then_with(|| cell.model.as_ref().cmp(&model))
        })
    }
}

/// Lists that are kept in place while they are short, written as any list.
mod in_place {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use smallvec::{Array, SmallVec};

    pub fn serialize<S, A>(list: &SmallVec<A>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        A: Array<Item: Serialize>,
    {
        list.as_slice().serialize(serializer)
    }

    pub fn deserialize<'de, D, A>(deserializer: D) -> Result<SmallVec<A>, D::Error>
    where
        D: Deserializer<'de>,
        A: Array<Item: Deserialize<'de>>,
    {
        Vec::deserialize(deserializer).map(|list: Vec<A::Item>| list.into_iter().collect())
    }
}
