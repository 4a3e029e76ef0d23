//! Many callers of many subjects at once, and afterwards every answer of the family beside a sum of
//! our own, digit by digit.

mod naive;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::naive::{Deed, Ledger, PERIODS};
use super::{data, numbers};
use crate::support::{Client, Home, Server};

/// All prices hold in this month and the two before it.
const NOW: &str = "2026-10-31T12:00:00Z";
const SUBJECTS: usize = 9;
/// Of each subject.
const CALLERS: usize = 4;
const DEEDS_PER_CALLER: usize = 24;
/// Of trends.
const MONTHS: usize = 6;
/// Of a log.
const PAGE: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_are_exact_under_concurrent_load() {
    let home = Home::new();
    let server = Server::start_at(&home, NOW).await;
    let mut callers = JoinSet::new();
    let mut ledgers = Vec::new();
    for subject in 0..SUBJECTS {
        let user = Arc::new(format!("exact-{subject}"));
        server.subscribe(&user, "enterprise").await;
        let mut ledger = Ledger::default();
        for caller in 0..CALLERS {
            let seed = (subject * CALLERS + caller) as u64;
            let deeds = naive::deeds(seed, DEEDS_PER_CALLER);
            for deed in &deeds {
                ledger.count(deed);
            }
            let (client, user) = (server.client(), user.clone());
            callers.spawn(async move {
                for deed in deeds {
                    act(&client, &user, &deed).await;
                }
            });
        }
        ledgers.push((user, ledger));
    }
    callers.join_all().await;
    for (user, ledger) in &ledgers {
        compare(&server, user, ledger).await;
    }

    // The same from what is on disk; and what the month that ended is billed at.
    server.kill();
    let server = Server::start_at(&home, "2026-11-01T00:00:00Z").await;
    for (user, ledger) in &ledgers {
        compare_trends(&server, user, ledger, 1).await;
        compare_logs(&server, user, ledger).await;
        compare_bill(&server, user, ledger).await;
    }
}

async fn act(client: &Client, user: &str, deed: &Deed) {
    let mut event = deed.event();
    event["subject"] = json!(user);
    match deed {
        Deed::Record { .. } => {
            client.post("/v1/usage", &event).await.expect(201);
        }
        Deed::Settle { .. } => {
            let asked = json!({
                "subject": user, "provider": event["provider"], "model": event["model"],
                "usage": { "input_tokens": 9_000, "output_tokens": 9_000 },
            });
            let held = client.post("/v1/reservations", &asked).await.expect(201);
            let path = path_of(&held);
            let mut settled = event.clone();
            for member in ["subject", "provider", "model", "occurred_at", "event_id"] {
                settled.as_object_mut().unwrap().remove(member);
            }
            client.post(&format!("{path}/settle"), &settled).await.expect(200);
        }
        Deed::Release => {
            let asked = json!({
                "subject": user, "provider": "gemini", "model": "gemini-2.5-pro",
                "usage": { "input_tokens": 5_000, "output_tokens": 5_000 },
            });
            let held = client.post("/v1/reservations", &asked).await.expect(201);
            client.delete(&path_of(&held)).await.expect(204);
        }
        Deed::Refused => {
            let mut asked = event;
            asked["features"] = json!(["teleportation"]);
            client.post("/v1/reservations", &asked).await.problem(403);
        }
        Deed::Correct { id, .. } => {
            // The event that it corrects, first.
            client.post("/v1/usage", &event).await.expect(201);
            let correction = json!({
                "subject": user, "event_id": id, "correction_id": format!("{id}-c"),
                "replacement": deed.replacement(),
            });
            client.post("/v1/usage/corrections", &correction).await.expect(201);
        }
    }
}

fn path_of(held: &Value) -> String {
    format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap())
}

async fn compare(server: &Server, user: &str, ledger: &Ledger) {
    for (period, name) in PERIODS.iter().enumerate() {
        let used = ledger.month(period);
        let usage = data(server, &format!("usage/{user}?billing_period={name}")).await;
        used.assert_is(&usage, &format!("{user} in {name}"));
    }
    let running = PERIODS.len() - 1;
    let dashboard = data(server, &format!("dashboard/{user}")).await;
    let month = ledger.month(running);
    for member in ["current_usage", "current_period_usage"] {
        month.assert_is(&dashboard[member], &format!("{member} of {user}"));
    }
    ledger.all().assert_is(&dashboard["total_usage"], &format!("all that {user} used"));
    let summary = &dashboard["summary"];
    assert_eq!(summary["total_api_calls_this_month"].to_string(), month.calls().to_string());
    assert_eq!(summary["total_cost_this_month"].to_string(), month.cost());
    assert_eq!(dashboard["trends"], compare_trends(server, user, ledger, 0).await);
    compare_logs(server, user, ledger).await;
}

/// After so many months more, in which nothing was used.
async fn compare_trends(server: &Server, user: &str, ledger: &Ledger, later: usize) -> Value {
    let trends = data(server, &format!("usage/{user}/trends?months={MONTHS}")).await;
    let of = |provider: Option<&str>, what: fn(&naive::Sum) -> String| -> Vec<String> {
        let nothing = |months| std::iter::repeat_n("0".to_owned(), months);
        let used = (0..PERIODS.len()).map(|at| what(&ledger.month(at).of(provider)));
        let months = nothing(MONTHS - PERIODS.len() - later).chain(used).chain(nothing(later));
        months.collect()
    };
    assert_eq!(numbers(&trends["total_calls"]), of(None, naive::Sum::calls), "{user}");
    assert_eq!(numbers(&trends["total_tokens"]), of(None, naive::Sum::tokens), "{user}");
    assert_eq!(numbers(&trends["total_cost"]), of(None, naive::Sum::cost), "{user}");
    for provider in ledger.providers() {
        let found = &trends["provider_trends"][provider];
        assert_eq!(numbers(&found["calls"]), of(Some(provider), naive::Sum::calls), "{user}");
        assert_eq!(numbers(&found["tokens"]), of(Some(provider), naive::Sum::tokens), "{user}");
        assert_eq!(numbers(&found["cost"]), of(Some(provider), naive::Sum::cost), "{user}");
    }
    trends
}

async fn compare_logs(server: &Server, user: &str, ledger: &Ledger) {
    let mut lines = Vec::new();
    loop {
        let query = format!("usage-logs/{user}?limit={PAGE}&offset={}", lines.len());
        let page = data(server, &query).await;
        assert_eq!(page["total_count"], ledger.events(), "{user}");
        lines.extend(page["logs"].as_array().unwrap().clone());
        if page["has_more"] == false {
            break;
        }
    }
    let texts = |line: &Value| {
        ["provider", "tokens_input", "tokens_output", "cost_total", "status", "billing_period"]
            .map(|member| line[member].to_string())
    };
    let mut found: Vec<_> = lines.iter().map(texts).collect();
    found.sort_unstable();
    assert_eq!(found, ledger.lines(), "{user}");
    let times: Vec<_> = lines.iter().map(|line| line["timestamp"].to_string()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "the newest first");
}

async fn compare_bill(server: &Server, user: &str, ledger: &Ledger) {
    let history = data(server, &format!("billing-history/{user}")).await;
    let entry = &history["history"][0];
    let month = ledger.month(PERIODS.len() - 1);
    assert_eq!((&history["total"], &entry["billing_period"]), (&json!(1), &json!("2026-10")));
    assert_eq!(entry["total_calls"].to_string(), month.calls().to_string(), "{user}");
    assert_eq!(entry["total_tokens"].to_string(), month.of(None).tokens(), "{user}");
    assert_eq!(entry["exact_usage_cost"].to_string(), month.cost(), "{user}");
    // What occurred in months that had ended was recorded in this one.
    assert_eq!(entry["exact_adjustments"].to_string(), ledger.cost_before(), "{user}");
    assert_eq!(entry["subscription_fee"].to_string(), "199", "{user}");
}
