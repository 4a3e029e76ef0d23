//! What every store must do. The store in memory is the reference.

use std::sync::Arc;

use tollgate_domain::{Decision, QuotaState, Span, SubjectId, Timestamp, Window};
use tollgate_ledger::backup::{Reader, Record, Summary};
use tollgate_ledger::store::Store;
use tollgate_ledger::{Events, Ledger, LedgerError, Period, State, Turn};

use crate::support::*;

/// What a caller is told of a decision.
fn standing(decision: &Decision) -> Vec<(&SubjectId, &[QuotaState])> {
    decision.snapshot.levels.iter().map(|level| (&level.subject, &level.quotas[..])).collect()
}

on_every_store! {
    async fn an_event_with_a_known_name_is_recorded_once(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let first = record(&ledger, &plans, &report("ann", Some("e1"), 5, now), now).await.unwrap();
        let again = record(&ledger, &plans, &report("ann", Some("e1"), 5, now), now).await.unwrap();
        assert_eq!((first.duplicate, again.duplicate), (false, true));
        assert_eq!((first.id, &first.event), (again.id, &again.event));

        let other = record(&ledger, &plans, &report("ann", Some("e1"), 6, now), now).await;
        assert!(matches!(other, Err(LedgerError::Contradiction)));
        let elsewhere = record(&ledger, &plans, &report("bob", Some("e1"), 6, now), now).await;
        assert!(!elsewhere.unwrap().duplicate, "names are each subject's own");
        assert_eq!(tokens(&used(&ledger, &plans, "ann", Period::Current, now).await), 5);
    }

    async fn uses_that_are_begun_in_a_row_end_each_as_if_it_were_alone(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let turn = Turn::default();
        let uses = [("e1", 5), ("e2", 7), ("e1", 5), ("e1", 6)];
        let begun = uses.map(|(name, tokens)| {
            let report = Arc::new(report("ann", Some(name), tokens, now));
            let begun = ledger.begin_record(&report, &turn, &plans, now, |_| vec![]).unwrap();
            (report, begun)
        });
        let mut ended = Vec::new();
        for (report, begun) in begun {
            ended.push(match ledger.end_record(begun).await.unwrap() {
                Some(recorded) => Ok(recorded.duplicate),
                // One of the same name was on its way.
                None => record(&ledger, &plans, &report, now).await.map(|it| it.duplicate),
            });
        }
        assert!(
            matches!(&ended[..], [Ok(false), Ok(false), Ok(true), Err(LedgerError::Contradiction)]),
            "{ended:?}"
        );
        assert_eq!(tokens(&used(&ledger, &plans, "ann", Period::Current, now).await), 12);
    }

    async fn a_use_is_recorded_anew_where_another_host_was_faster(store: Arc<impl Store>) {
        let (plans, now) = (book(vec![]), noon());
        let [one, other] = [(); 2].map(|()| Ledger::open(store.clone()).unwrap());
        for ledger in [&one, &other] {
            record(ledger, &plans, &report("ann", None, 1, now), now).await.unwrap();
        }
        // The first does not know what the other has recorded since.
        let report = Arc::new(report("ann", None, 5, now));
        let begun = one.begin_record(&report, &Turn::default(), &plans, now, |_| vec![]).unwrap();
        assert!(one.end_record(begun).await.unwrap().is_none());
        record(&one, &plans, &report, now).await.unwrap();
        assert_eq!(tokens(&used(&one, &plans, "ann", Period::Current, now).await), 7);
    }

    async fn an_event_is_found_by_either_of_its_names(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let named = record(&ledger, &plans, &report("ann", Some("e1"), 5, now), now).await.unwrap();
        let nameless = record(&ledger, &plans, &report("ann", None, 6, now), now).await.unwrap();
        for (name, event) in [("e1", &named), (&nameless.id.to_string(), &nameless)] {
            let found = ledger.event(&subject("ann"), name).unwrap().unwrap();
            assert_eq!((found.id, &found.event), (event.id, &event.event));
        }
        let of_another = ledger.event(&subject("bob"), &nameless.id.to_string()).unwrap();
        assert!(of_another.is_none(), "an event is its subject's alone");
    }

    async fn all_events_come_once_in_the_order_of_their_commits(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let mut recorded = Vec::new();
        for tokens in 0..200 {
            let report = report("ann", None, tokens, now.minus(tokens as u32 * MINUTES));
            recorded.push(record(&ledger, &plans, &report, now).await.unwrap().id);
        }
        let span = |start, end| Span { start, end };
        let mut all = ledger.events(span(Timestamp::EPOCH, None));
        let mut some = ledger.events(span(now.minus(20 * MINUTES), Some(now.minus(10 * MINUTES))));
        record(&ledger, &plans, &report("ann", None, 1, now), now).await.unwrap();

        let ids = |events: &mut Events<_>| {
            let pages = std::iter::from_fn(|| events.page().unwrap());
            pages.flatten().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&mut all), recorded, "and none that came later");
        assert_eq!(ids(&mut some), recorded[11..=20]);
    }

    async fn a_backup_is_what_was_committed_when_it_began(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store.clone()).unwrap(), book(vec![]), noon());
        for tokens in 0..50 {
            record(&ledger, &plans, &report("ann", None, tokens, now), now).await.unwrap();
        }
        subscribe(&ledger, &book(vec![plan("pro", vec![])]), "ann", "pro", now).await;
        let blocks: Vec<_> =
            store.blocks().map(|number| (number, store.block(number).unwrap())).collect();
        let mut backup = ledger.backup().unwrap();
        record(&ledger, &plans, &report("ann", None, 1, now), now).await.unwrap();

        let pages = std::iter::from_fn(|| backup.page().unwrap());
        let bytes: Vec<_> = pages.flatten().collect();
        let mut reader = Reader::open(&bytes[..]).unwrap();
        let mut read = Vec::new();
        while let Some(Record::Block { number, block }) = reader.record().unwrap() {
            read.push((number, block.to_vec()));
        }
        assert_eq!(read, blocks);
        let summary = Summary { blocks: blocks.len() as u64, events: 50, bytes: bytes.len() as u64 };
        assert_eq!(reader.finish().unwrap(), summary);
    }

    async fn a_reservation_goes_from_held_to_one_end(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "10")])]);
        let state = |id| ledger.reservation(id, now).unwrap().unwrap().state(now);
        let hold = async || {
            let reserved = reserve(&ledger, &plans, "ann", 5, 5 * MINUTES, now).await;
            reserved.reservation.unwrap().id
        };

        let released = hold().await;
        assert_eq!(state(released), State::Held);
        ledger.release(released, &plans, now).await.unwrap();
        ledger.release(released, &plans, now).await.unwrap();
        assert_eq!(state(released), State::Released);
        let late = report("ann", None, 5, now);
        let settling = settle(&ledger, &plans, released, &late, now).await;
        assert!(matches!(settling, Err(LedgerError::ReservationReleased)));

        let settled = hold().await;
        let settle = async |tokens| {
            let report = report("ann", None, tokens, now);
            settle(&ledger, &plans, settled, &report, now).await
        };
        let (first, again) = (settle(7).await.unwrap(), settle(7).await.unwrap());
        assert_eq!((first.id, first.duplicate, again.duplicate), (again.id, false, true));
        assert!(matches!(settle(8).await, Err(LedgerError::Contradiction)));
        assert!(matches!(
            ledger.release(settled, &plans, now).await,
            Err(LedgerError::ReservationSettled)
        ));
        assert_eq!(state(settled), State::Settled);
        let usage = used(&ledger, &plans, "ann", Period::Current, now).await;
        assert_eq!((tokens(&usage), usage.quotas[0].used, usage.quotas[0].reserved), (
            7,
            1.into(),
            0.into()
        ));
    }

    async fn a_key_leads_to_its_first_reservation_and_to_no_other(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "1")])]);
        let turn = ledger.turn(once("k", "body"), now).unwrap();
        assert!(ledger.reserved_before(&turn).unwrap().is_none());
        let first = reserve_in(&turn, &ledger, &plans, "ann", 5, MINUTES, now).await;
        let under_way = ledger.turn(once("k", "body"), now);
        assert!(matches!(under_way, Err(LedgerError::KeyUnderWay)));
        drop(turn);

        let reused = ledger.turn(once("k", "another"), now);
        assert!(matches!(reused, Err(LedgerError::KeyReused)));
        for _ in 0..2 {
            let turn = ledger.turn(once("k", "body"), now).unwrap();
            let again = ledger.reserved_before(&turn).unwrap().unwrap();
            assert_eq!((first.replayed, again.replayed), (false, true));
            assert_eq!(again.reservation, first.reservation);
            assert_eq!(standing(&again.decision), standing(&first.decision));
            ledger.tick(Some(&plans), now).unwrap();
        }
    }

    async fn a_refusal_leaves_its_key_unused(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let plans = book(vec![plan("free", vec![quota("tokens", "tokens", Window::Month, "9")])]);
        let turn = ledger.turn(once("k", "body"), now).unwrap();
        let refused = reserve_in(&turn, &ledger, &plans, "ann", 10, MINUTES, now).await;
        assert!(refused.reservation.is_none());
        drop(turn);
        let turn = ledger.turn(once("k", "another"), now).unwrap();
        assert!(ledger.reserved_before(&turn).unwrap().is_none());
    }

    async fn the_parts_of_a_request_are_remembered_one_by_one(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let turn = ledger.turn(once("k", "body"), now).unwrap();
        let mut first = Vec::new();
        for (part, path) in [(0, "ann"), (2, "bob")] {
            let (turn, report) = (turn.of_part(part), report(path, None, 5, now));
            first.push(ledger.record(&report.into(), &turn, &plans, now, |_| vec![]).await.unwrap());
        }
        drop(turn);
        for _ in 0..2 {
            let turn = ledger.turn(once("k", "body"), now).unwrap();
            let again = |part| ledger.recorded_before(&turn.of_part(part)).unwrap();
            for (part, first) in [(0, &first[0]), (2, &first[1])] {
                let again = again(part).unwrap();
                assert_eq!((again.id, &again.event), (first.id, &first.event));
                assert_eq!((again.duplicate, again.replayed), (false, true));
            }
            assert!(again(1).is_none());
            ledger.tick(Some(&plans), now).unwrap();
        }
    }

    async fn a_key_is_forgotten_after_a_day_and_not_before(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let report = report("ann", None, 5, now);
        let turn = ledger.turn(once("k", "body"), now).unwrap();
        ledger.record(&report.clone().into(), &turn, &plans, now, |_| vec![]).await.unwrap();
        drop(turn);
        for (minutes, known) in [(24 * 60, true), (24 * 60 + 1, false)] {
            let later = now.plus(minutes * MINUTES);
            ledger.tick(Some(&plans), later).unwrap();
            let turn = ledger.turn(once("k", "body"), later).unwrap();
            assert_eq!(ledger.recorded_before(&turn).unwrap().is_some(), known);
        }
        let later = now.plus(3 * 24 * 60 * MINUTES);
        let turn = ledger.turn(once("k", "another"), later).unwrap();
        ledger.record(&report.into(), &turn, &plans, later, |_| vec![]).await.unwrap();
        drop(turn);
        ledger.tick(Some(&plans), later).unwrap();
        assert!(ledger.turn(once("k", "another"), later).is_ok(), "the newer use counts");
        assert!(matches!(ledger.turn(once("k", "body"), later), Err(LedgerError::KeyReused)));
    }

    async fn a_late_event_counts_in_the_period_it_occurred_in(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let december = at("2024-12-31T23:59:59Z");
        record(&ledger, &plans, &report("ann", None, 5, december), now).await.unwrap();
        record(&ledger, &plans, &report("ann", None, 7, now), now).await.unwrap();
        let of = |period: &str| Period::Of(period.parse().unwrap());
        for (period, expected) in [
            (of("2024-12"), 5),
            (of("2025-01"), 7),
            (Period::Current, 7),
            (Period::AllTime, 12),
            (of("2024-11"), 0),
        ] {
            let usage = used(&ledger, &plans, "ann", period.clone(), now).await;
            assert_eq!(tokens(&usage), expected, "{period:?}");
        }
    }

    async fn a_quota_that_appears_later_counts_what_was_used_before(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let plans = book(vec![
            plan("free", vec![]),
            plan("pro", vec![
                quota("minute", "tokens", Window::Minute, "100"),
                quota("hour", "tokens", Window::Hour, "100"),
                quota("day", "tokens", Window::Day, "100"),
                quota("week", "tokens", Window::Week, "100"),
                quota("month", "tokens", Window::Month, "100"),
                quota("lifetime", "tokens", Window::Lifetime, "100"),
            ]),
        ]);
        for (time, tokens) in [
            ("2024-12-30T12:00:00Z", 1),
            ("2025-01-02T12:00:00Z", 2),
            ("2025-01-14T12:00:00Z", 4),
            ("2025-01-15T11:00:00Z", 8),
            ("2025-01-15T12:01:00Z", 16),
            ("2025-01-15T12:02:01Z", 32),
        ] {
            record(&ledger, &plans, &report("ann", None, tokens, at(time)), at(time)).await.unwrap();
        }
        let now = now.plus(2 * MINUTES).plus(MINUTES / 2);
        subscribe(&ledger, &plans, "ann", "pro", now).await;
        let usage = used(&ledger, &plans, "ann", Period::Current, now).await;
        let counted: Vec<_> =
            usage.quotas.iter().map(|quota| (quota.name.as_str(), quota.used.to_string())).collect();
        let expected = [
            ("minute", "32"),
            ("hour", "48"),
            ("day", "56"),
            ("week", "60"),
            ("month", "62"),
            ("lifetime", "63"),
        ];
        assert_eq!(counted, expected.map(|(name, used)| (name, used.to_owned())));
    }

    async fn an_event_sent_twice_at_once_is_recorded_once(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let event = report("ann", Some("e1"), 5, now);
        // The second is asked for before the first can be on disk.
        let (first, second) = tokio::join!(
            record(&ledger, &plans, &event, now),
            record(&ledger, &plans, &event, now),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((first.duplicate, second.duplicate, first.id), (false, true, second.id));
    }

    async fn a_window_that_begins_to_count_misses_nothing_under_way(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let without = book(vec![plan("free", vec![])]);
        let daily = quota("day", "tokens", Window::Day, "100");
        let with = book(vec![plan("free", vec![daily])]);
        let event = report("ann", None, 5, now);
        let (recorded, _) = tokio::join!(
            record(&ledger, &without, &event, now),
            used(&ledger, &with, "ann", Period::Current, now),
        );
        recorded.unwrap();
        let usage = used(&ledger, &with, "ann", Period::Current, now).await;
        assert_eq!(usage.quotas[0].used, 5.into());
    }

    async fn what_is_shelved_stays_as_it_was_first(store: Arc<impl Store>) {
        assert_eq!(store.shelved("b").unwrap(), None);
        for (name, bytes) in [("b", &b"one"[..]), ("ba", &[7; 20_000]), ("a", b""), ("b", b"two")] {
            store.shelve(name, bytes).unwrap();
        }
        assert_eq!(store.shelved("b").unwrap().unwrap(), b"one");
        assert_eq!(store.shelved("ba").unwrap().unwrap(), [7; 20_000]);
        assert_eq!(store.shelved("a").unwrap().unwrap(), b"");
        assert_eq!(store.shelf("b").unwrap(), ["b", "ba"]);
        assert_eq!(store.shelf("").unwrap(), ["a", "b", "ba"]);
        assert_eq!(store.shelf("c").unwrap(), [] as [&str; 0]);
    }

    async fn two_ledgers_on_one_store_never_share_the_last_unit(store: Arc<impl Store>) {
        let plans = Arc::new(book(vec![plan("free", vec![
            quota("calls", "calls", Window::Month, "25"),
        ])]));
        let ledgers = [store.clone(), store].map(|store| Arc::new(Ledger::open(store).unwrap()));
        // Loading a root takes two reads, which another's commit may fall between: many roots are
        // loaded, to meet that.
        for root in 0..40 {
            let tasks = (0..40).map(|i| {
                let (ledger, plans) = (ledgers[i % 2].clone(), plans.clone());
                tokio::spawn(async move {
                    let path = format!("user-{root}");
                    reserve(&ledger, &plans, &path, 1, 5 * MINUTES, noon()).await.decision.allowed()
                })
            });
            let mut granted = 0;
            for task in tasks.collect::<Vec<_>>() {
                granted += u32::from(task.await.unwrap());
            }
            assert_eq!(granted, 25, "for user-{root}");
        }
    }
}
