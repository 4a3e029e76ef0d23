use std::sync::Arc;

use tollgate_domain::{BillingCycle, Plan, PlanBook, Timestamp, Usd};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{BillingEntry, Ledger, SubscriptionChange};

use crate::support::*;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn plans() -> PlanBook {
    let pro = Plan { price_monthly: usd("29"), price_yearly: usd("290"), ..plan("pro", vec![]) };
    book(vec![plan("free", vec![]), pro])
}

async fn history<S: Store>(
    ledger: &Ledger<S>,
    path: &str,
    now: Timestamp,
) -> Vec<Arc<BillingEntry>> {
    ledger.billing_history(&subject(path), &plans(), now).await.unwrap()
}

fn lines(history: &[Arc<BillingEntry>]) -> Vec<(&str, String, String, String)> {
    let line = |entry: &'_ Arc<BillingEntry>| {
        let costs = [entry.subscription_fee, entry.usage_cost, entry.adjustments];
        costs.map(|cost| cost.to_string())
    };
    let lines = history.iter().map(|entry| {
        let [fee, usage, adjustments] = line(entry);
        (entry.period.as_str(), fee, usage, adjustments)
    });
    lines.collect()
}

fn line(
    period: &'static str,
    fee: &str,
    usage: &str,
    adjustments: &str,
) -> (&'static str, String, String, String) {
    (period, fee.into(), usage.into(), adjustments.into())
}

on_every_store! {
    async fn a_period_ends_by_the_clock_whether_or_not_anybody_calls(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store.clone()).unwrap(), plans(), noon());
        subscribe(&ledger, &plans, "ann", "pro", now).await;
        record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        record(&ledger, &plans, &report("bob", None, 7, now), now).await.unwrap();
        let february = at("2025-02-01T00:00:00Z");
        ledger.tick(Some(&plans), february.minus(MINUTES)).unwrap();
        ledger.tick(Some(&plans), february).unwrap();
        for path in ["ann", "bob"] {
            let stored = store.billing_history(&subject(path)).unwrap();
            assert_eq!(stored.len(), 1, "{path}: without being asked for");
            assert_eq!(stored[0].end, february);
        }
        assert_eq!(lines(&history(&ledger, "ann", february).await), [
            line("2025-01", "29", "0.05", "0")
        ]);
        assert_eq!(lines(&history(&ledger, "bob", february).await), [
            line("2025-01", "0", "0.007", "0")
        ]);
        // Months later: a subscription goes on, and who used nothing has no entry.
        let may = at("2025-05-20T00:00:00Z");
        ledger.tick(Some(&plans), may).unwrap();
        assert_eq!(history(&ledger, "ann", may).await.len(), 4);
        assert_eq!(history(&ledger, "bob", may).await.len(), 1);
    }

    async fn who_reads_first_sees_it_closed(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), plans(), noon());
        record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        assert!(history(&ledger, "ann", at("2025-01-31T23:59:59Z")).await.is_empty());
        let february = at("2025-02-01T00:00:00Z");
        let first = history(&ledger, "ann", february).await;
        ledger.tick(Some(&plans), february).unwrap();
        assert_eq!(lines(&first), [line("2025-01", "0", "0.05", "0")]);
        assert_eq!(history(&ledger, "ann", february).await, first, "once");
    }

    async fn what_comes_late_is_an_adjustment_and_changes_no_closed_entry(
        store: Arc<impl Store>
    ) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), plans(), noon());
        let event = record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        let february = at("2025-02-01T00:00:00Z");
        let first = history(&ledger, "ann", february).await;
        record(&ledger, &plans, &report("ann", None, 4, now), february).await.unwrap();
        record(&ledger, &plans, &report("ann", None, 9, february), february).await.unwrap();
        correct(&ledger, &plans, event.id, "c", 20, february).await.unwrap();
        let march = at("2025-03-01T00:00:00Z");
        let both = history(&ledger, "ann", march).await;
        assert_eq!(both[0], first[0]);
        assert_eq!(lines(&both)[1], line("2025-02", "0", "0.009", "-0.026"));
        let invoice = both[1].invoice().unwrap();
        assert_eq!((invoice.usage_cost, invoice.adjustments), (usd("0.01"), usd("-0.03")));
        assert_eq!(invoice.total, usd("-0.02"), "the total adds up the lines");
    }

    async fn a_clock_ahead_is_billed_in_the_period_that_it_says(store: Arc<impl Store>) {
        let (ledger, plans) = (Ledger::open(store).unwrap(), plans());
        let (before, after) = (at("2025-01-31T23:58:00Z"), at("2025-02-01T00:01:00Z"));
        record(&ledger, &plans, &report("ann", None, 50, before), before).await.unwrap();
        record(&ledger, &plans, &report("ann", None, 8, after), before).await.unwrap();
        let march = at("2025-03-01T00:00:00Z");
        assert_eq!(lines(&history(&ledger, "ann", march).await), [
            line("2025-01", "0", "0.05", "0"),
            line("2025-02", "0", "0.008", "0")
        ]);
    }

    async fn a_year_is_paid_for_in_the_month_of_its_anniversary(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), plans(), noon());
        let change = SubscriptionChange {
            plan: "pro".parse().unwrap(),
            billing_cycle: Some(BillingCycle::Yearly),
            timezone: None,
            anchor_day: Some(31),
            status: None,
        };
        ledger.subscribe(&subject("ann"), &change, &plans, now, |_| vec![]).await.unwrap();
        let entries = history(&ledger, "ann", at("2026-03-01T00:00:00Z")).await;
        let fees: Vec<_> = entries.iter().map(|entry| entry.subscription_fee).collect();
        let paid: Vec<_> = (0..fees.len()).filter(|at| fees[*at] == usd("290")).collect();
        assert_eq!((fees.len(), paid), (14, vec![0, 12]));
        assert!(fees.iter().all(|fee| [usd("0"), usd("290")].contains(fee)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_closing_and_forgetting_closes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (plans, now, february) = (plans(), noon(), at("2025-02-01T00:00:00Z"));
    {
        let ledger = Ledger::open(Arc::new(SledStore::open(folder.path()).unwrap())).unwrap();
        record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        ledger.tick(Some(&plans), now).unwrap();
        // Closed and on disk, and still on the list of what is due.
        history(&ledger, "ann", february).await;
    }
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    assert_eq!(store.due(february, 9).unwrap().len(), 1);
    let ledger = Ledger::open(store.clone()).unwrap();
    ledger.tick(Some(&plans), february).unwrap();
    assert_eq!(store.due(february, 9).unwrap(), []);
    assert_eq!(history(&ledger, "ann", february).await.len(), 1);
    let verified = store.verify(&tollgate_ledger::forgettable(february), |_, _| {});
    assert_eq!(verified.differences, []);
}
