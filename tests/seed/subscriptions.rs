use serde_json::{Value, json};

use super::{assert_members, calls, data, failure, record, used};
use crate::support::{Home, Server, shared};

fn path(user: &str) -> String {
    format!("/api/subscription/user/{user}/subscription")
}

async fn change(server: &Server, user: &str, change: &Value) -> Value {
    server.put(&path(user), change).await.data()
}

async fn may_call(server: &Server, user: &str) -> bool {
    let ask = json!({ "subject": user, "provider": "gemini", "model": "gemini-2.5-flash" });
    server.post("/v1/check", &ask).await.expect(200)["allowed"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_tells_all_of_itself() {
    let server = shared().await;
    let subscription = data(&server, "user/subscribed/subscription").await;
    assert_members(
        &subscription,
        "user_id plan_name plan_id tier status billing_cycle current_period_start \
         current_period_end timezone anchor_day auto_renew limits providers quotas features",
    );
    for (member, value) in [
        ("user_id", json!("subscribed")),
        ("plan_name", json!("Free")),
        ("plan_id", json!("free")),
        ("tier", json!("free")),
        ("status", json!("active")),
        ("billing_cycle", json!("monthly")),
        ("current_period_start", json!("2026-08-01T00:00:00Z")),
        ("current_period_end", json!("2026-09-01T00:00:00Z")),
        ("auto_renew", json!(true)),
        ("features", json!(["basic_content_generation"])),
    ] {
        assert_eq!(subscription[member], value, "{member}");
    }
    assert_eq!(subscription["limits"]["gemini_calls"], 100);
    assert_eq!(subscription["limits"]["monthly_cost"], 0, "unlimited");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_a_downgrade_take_effect_at_once_and_keep_what_was_used() {
    let server = shared().await;
    record(&server, &calls("moving", "gemini", 100)).await;
    assert!(!may_call(&server, "moving").await);
    let upgraded = change(&server, "moving", &json!({ "plan": "pro" })).await;
    assert_eq!((&upgraded["plan_name"], &upgraded["tier"]), (&json!("Pro"), &json!("pro")));
    assert_eq!(upgraded, data(&server, "user/moving/subscription").await);
    assert!(may_call(&server, "moving").await);
    let stats = data(&server, "usage/moving").await;
    assert_eq!((&stats["total_calls"], &stats["usage_status"]), (&json!(100), &json!("active")));
    assert_eq!(stats["usage_percentages"]["gemini_calls"].to_string(), "2");
    change(&server, "moving", &json!({ "plan": "free" })).await;
    assert!(!may_call(&server, "moving").await);
    let stats = data(&server, "usage/moving").await;
    assert_eq!(stats["usage_status"], "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_or_is_suspended_cannot_call_until_the_subscription_is_renewed() {
    let server = shared().await;
    for (status, renews) in [("cancelled", false), ("suspended", true)] {
        let stopped = change(&server, "stopped", &json!({ "plan": "pro", "status": status })).await;
        assert_eq!(stopped["status"], status);
        assert_eq!(stopped["auto_renew"], renews, "{status}");
        let ask = json!({ "user_id": "stopped", "provider": "gemini" });
        let refused = server.post("/api/subscription/enforce", &ask).await;
        let refused = failure(refused, 403, "SubscriptionException");
        assert_eq!(refused["details"]["reason"], "subscription_inactive");
        // What was used is a fact all the same.
        record(&server, &calls("stopped", "gemini", 1)).await;
        let renewed =
            change(&server, "stopped", &json!({ "plan": "pro", "status": "active" })).await;
        assert_eq!((&renewed["status"], &renewed["auto_renew"]), (&json!("active"), &json!(true)));
        assert!(may_call(&server, "stopped").await);
    }
    assert_eq!(data(&server, "usage/stopped").await["total_calls"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yearly_cycle_runs_for_a_year_and_is_paid_once_in_it() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-01-05T12:00:00Z").await;
    let month = change(&server, "ann", &json!({ "plan": "pro" })).await;
    assert_eq!(month["current_period_end"], "2026-02-01T00:00:00Z");
    server.kill();

    // What was paid by the month so far is paid by the year from now on.
    let server = Server::start_at(&home, "2026-03-10T12:00:00Z").await;
    let year = change(&server, "ann", &json!({ "plan": "pro", "billing_cycle": "yearly" })).await;
    assert_eq!(year["billing_cycle"], "yearly");
    let period = |subscription: &Value| {
        ["current_period_start", "current_period_end"].map(|end| subscription[end].clone())
    };
    assert_eq!(period(&year), ["2026-03-10T00:00:00Z", "2027-03-10T00:00:00Z"]);
    record(&server, &used("ann", 1, "1", "2026-03-10T12:00:00Z")).await;
    assert_eq!(data(&server, "usage/ann").await["billing_period"], "2026-03");
    server.kill();

    let server = Server::start_at(&home, "2027-04-01T00:00:00Z").await;
    let now = data(&server, "user/ann/subscription").await;
    assert_eq!(period(&now), ["2027-03-10T00:00:00Z", "2028-03-10T00:00:00Z"]);
    let history = data(&server, "billing-history/ann").await;
    let fees: Vec<_> = history["history"].as_array().unwrap().iter().rev().map(fee).collect();
    let mut expected = vec!["79", "79", "790"];
    expected.extend(["0"; 11]);
    expected.push("790");
    assert_eq!(fees, expected);
}

fn fee(entry: &Value) -> String {
    entry["subscription_fee"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_makes_no_sense_is_refused_by_its_field_and_changes_nothing() {
    let server = shared().await;
    for (wrong, pointer) in [
        (json!({}), "/plan"),
        (json!({ "plan": "none-such" }), "/plan"),
        (json!({ "plan": "pro", "billing_cycle": "weekly" }), "/billing_cycle"),
        (json!({ "plan": "pro", "status": "gone" }), "/status"),
        (json!({ "plan": "pro", "anchor_day": 32 }), "/anchor_day"),
        (json!({ "plan": "pro", "timezone": "Mars/Olympus" }), "/timezone"),
        (json!({ "plan": "pro", "cycle": "yearly" }), "/cycle"),
    ] {
        let failed = server.put(&path("unchanged"), &wrong).await;
        let failed = failure(failed, 400, "SubscriptionException");
        assert_eq!(failed["details"]["errors"][0]["pointer"], pointer, "{wrong}");
        assert_eq!(failed["user_id"], "unchanged");
    }
    assert_eq!(data(&server, "user/unchanged/subscription").await["plan_id"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_subscription_is_kept() {
    let home = Home::new();
    let server = Server::start(&home).await;
    assert_eq!(
        data(&server, "user/ann/subscription/history").await,
        json!({ "history": [], "total": 0 })
    );
    for body in [
        json!({ "plan": "basic" }),
        json!({ "plan": "pro" }),
        json!({ "plan": "pro", "billing_cycle": "yearly" }),
        json!({ "plan": "free" }),
        json!({ "plan": "free", "status": "suspended" }),
        json!({ "plan": "free", "status": "active" }),
        json!({ "plan": "free", "status": "cancelled" }),
        json!({ "plan": "basic", "status": "active" }),
        json!({ "plan": "basic", "timezone": "Europe/Berlin" }),
    ] {
        change(&server, "ann", &body).await;
    }
    change(&server, "ann%2Ftool", &json!({ "plan": "pro" })).await;
    let history = data(&server, "user/ann/subscription/history").await;
    assert_eq!(history["total"], 9);
    let words = |history: &Value| -> Vec<String> {
        let entries = history["history"].as_array().unwrap().iter();
        entries.map(|entry| entry["change"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first = [
        "changed",
        "renewed",
        "cancelled",
        "resumed",
        "suspended",
        "downgraded",
        "cycle_changed",
        "upgraded",
        "subscribed",
    ];
    assert_eq!(words(&history), newest_first);
    let entry = &history["history"][6];
    assert_members(
        entry,
        "changed_at change plan_name plan_id status billing_cycle timezone anchor_day auto_renew",
    );
    assert_eq!((&entry["plan_name"], &entry["plan_id"]), (&json!("Pro"), &json!("pro")));
    assert_eq!((&entry["status"], &entry["billing_cycle"]), (&json!("active"), &json!("yearly")));
    server.kill();
    let server = Server::start_at(&home, "2026-08-11T12:00:00Z").await;
    assert_eq!(data(&server, "user/ann/subscription/history").await, history);
    let page = data(&server, "user/ann/subscription/history?limit=2&offset=1").await;
    assert_eq!(
        (words(&page), &page["total"]),
        (newest_first[1..3].iter().map(|w| (*w).into()).collect(), &json!(9))
    );
}
