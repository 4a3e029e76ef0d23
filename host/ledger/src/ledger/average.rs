//! What a call of a level used on average lately.

use std::time::Duration;

use tollgate_domain::{
    ModelId, PlanBook, ProviderId, QuantityName, SubjectPath, Timestamp, Window,
};

use super::{Ledger, LedgerError, Step};
use crate::store::Store;
use crate::totals::{Table, Totals};

impl<S: Store> Ledger<S> {
    /// What an event of the narrowest level used on average, rounded up: of a provider's model
    /// where it has used that, or else of all that the provider has. Of the billing period, or
    /// where nothing was used in that, of the one before; nothing where there is none in either.
    ///
    /// Costs the same however much was used.
    pub async fn average(
        &self,
        subject: &SubjectPath,
        provider: &ProviderId,
        model: Option<&ModelId>,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<Vec<(QuantityName, u64)>, LedgerError> {
        let found = self.run(subject, plans, clock, |locked| {
            let (root, now) = (&*locked.root, locked.now);
            let Some(account) = root.account(subject) else { return Ok(Step::Done(Vec::new())) };
            let this = account.tally(Window::Month, now).map(|tally| &tally.table);
            if let Some(average) = this.and_then(|table| of(table, provider, model)) {
                return Ok(Step::Done(average));
            }
            let calendar = account.calendar();
            let start = Window::Month.span(now, &calendar).start;
            let before = Window::Month.span(start.minus(Duration::from_micros(1)), &calendar);
            let table = self.store.used(subject, &before)?;
            Ok(Step::Done(of(&table, provider, model).unwrap_or_default()))
        });
        Ok(found.await?.0)
    }
}

/// `None` where nothing of the provider was used.
fn of(
    table: &Table,
    provider: &ProviderId,
    model: Option<&ModelId>,
) -> Option<Vec<(QuantityName, u64)>> {
    let used = || table.cells().iter().filter(|cell| cell.provider == *provider);
    let of_model = used().find(|cell| cell.model.as_ref() == model && cell.totals.events > 0);
    let totals = match of_model {
        Some(cell) => cell.totals.clone(),
        None => used().try_fold(Totals::default(), |mut sum, cell| {
            sum.add(&cell.totals).ok()?;
            Some(sum)
        })?,
    };
    let of_one = |(name, sum): (&QuantityName, u64)| (name.clone(), sum.div_ceil(totals.events));
    (totals.events > 0).then(|| totals.quantities().map(of_one).collect())
}
