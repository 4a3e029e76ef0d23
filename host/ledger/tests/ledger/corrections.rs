use std::sync::Arc;

use tollgate_ledger::store::Store;
use tollgate_ledger::{Amendment, Fingerprint, Ledger, LedgerError, Period, Turn, Use};

use crate::support::*;

on_every_store! {
    async fn a_correction_counts_in_the_period_of_its_event(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let last_month = at("2024-12-20T12:00:00Z");
        let event = report("acme/ann", Some("e"), 50, last_month);
        let event = record(&ledger, &plans, &event, now).await.unwrap();
        for (key, amount) in [("less", 20), ("more", 70), ("nothing", 0)] {
            correct(&ledger, &plans, event.id, key, amount, now).await.unwrap();
            for path in ["acme", "acme/ann"] {
                let december = Period::Of("2024-12".parse().unwrap());
                for (period, expected) in
                    [(december, amount), (Period::AllTime, amount), (Period::Current, 0)]
                {
                    let used = used(&ledger, &plans, path, period, now).await;
                    assert_eq!(tokens(&used), expected, "{path} after {key}");
                }
            }
            ledger.tick(Some(&plans), now).unwrap();
        }
        let kept = ledger.event(&subject("acme/ann"), "e").unwrap().unwrap();
        assert_eq!(kept.event, event.event, "an event is never edited");
        let all: Vec<_> = ledger.corrections(event.id).unwrap();
        let keys: Vec<_> = all.iter().map(|c| c.correction.amendment.key.as_str()).collect();
        assert_eq!(keys, ["less", "more", "nothing"]);
    }

    async fn a_correction_with_a_known_name_is_made_once(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let event = record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        let first = correct(&ledger, &plans, event.id, "c", 20, now).await.unwrap();
        ledger.tick(Some(&plans), now).unwrap();
        let again = correct(&ledger, &plans, event.id, "c", 20, now).await.unwrap();
        assert_eq!((first.id, first.duplicate), (again.id, false));
        assert!(again.duplicate);
        let other = correct(&ledger, &plans, event.id, "c", 21, now).await;
        assert!(matches!(other, Err(LedgerError::Contradiction)));
        // An event of the same name is something else.
        record(&ledger, &plans, &report("ann", Some("c"), 1, now), now).await.unwrap();
        assert_eq!(tokens(&used(&ledger, &plans, "ann", Period::Current, now).await), 21);
    }

    async fn what_was_corrected_meanwhile_is_not_corrected_from_what_it_was(
        store: Arc<impl Store>
    ) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let event = record(&ledger, &plans, &report("ann", None, 50, now), now).await.unwrap();
        let amendment = |key: &str, amount| Amendment {
            key: key.parse().unwrap(),
            fingerprint: Fingerprint::of(key.as_bytes()),
            corrects: event.id,
            before: event.event.used(),
            after: Use { usage: usage(amount), cost: Some(price(amount)) },
            charges: vec![],
            cost_given: false,
            reason: None,
            revision: "r1".into(),
        };
        let (one, other) = (amendment("a", 10), amendment("b", 20));
        let turn = Turn::default();
        let made = tokio::join!(
            ledger.correct(&one, &turn, &plans, now, |_| vec![]),
            ledger.correct(&other, &turn, &plans, now, |_| vec![]),
        );
        assert!(made.0.is_ok());
        assert!(matches!(made.1, Err(LedgerError::CorrectedMeanwhile)));
        assert_eq!(tokens(&used(&ledger, &plans, "ann", Period::Current, now).await), 10);
    }
}
