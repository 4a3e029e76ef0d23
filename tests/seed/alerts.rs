use serde_json::{Value, json};

use super::{calls, data, failure, record};
use crate::support::{Home, Server, shared};

async fn alerts(server: &Server, query: &str) -> (Vec<Value>, Value, Value) {
    let list = data(server, &format!("alerts/{query}")).await;
    (
        list["alerts"].as_array().unwrap().clone(),
        list["total"].clone(),
        list["unread_count"].clone(),
    )
}

fn thresholds(alerts: &[Value]) -> Vec<u64> {
    alerts.iter().map(|alert| alert["threshold_percentage"].as_u64().unwrap()).collect()
}

async fn mark_read(server: &Server, alert: &Value) -> Value {
    let path = format!("/api/subscription/alerts/{}/mark-read", alert["id"]);
    server.post(&path, &json!({})).await.data()
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_threshold_alerts_at_80_90_and_100_percent() {
    let server = shared().await;
    let mut told = Vec::new();
    for (used, thresholds_now) in
        [(79, vec![]), (1, vec![80]), (10, vec![90]), (10, vec![100]), (5, vec![])]
    {
        let receipt = record(&server, &calls("alerted", "gemini", used)).await;
        let alerts = receipt["alerts"].as_array().unwrap();
        assert_eq!(thresholds(alerts), thresholds_now);
        told.extend(alerts.clone());
    }
    let (mut listed, total, unread) = alerts(&server, "alerted").await;
    assert_eq!((&total, &unread), (&json!(3), &json!(3)));
    assert_eq!(thresholds(&listed), [100, 90, 80], "the newest first");
    listed.reverse();
    assert_eq!(listed, told, "as the receipts told them");
    let expected = [
        ("usage_warning", 80, "info"),
        ("usage_warning", 90, "warning"),
        ("limit_reached", 100, "error"),
    ];
    for (alert, (kind, threshold, severity)) in listed.iter().zip(expected) {
        super::assert_members(
            alert,
            "id type threshold_percentage quota subject provider title message severity is_sent \
             is_read billing_period created_at",
        );
        assert_eq!(alert["type"], kind);
        assert_eq!(alert["threshold_percentage"], threshold);
        assert_eq!(alert["severity"], severity);
        assert_eq!(alert["quota"], "gemini_calls");
        assert_eq!((&alert["subject"], &alert["provider"]), (&json!("alerted"), &json!("gemini")));
        assert_eq!((&alert["is_read"], &alert["is_sent"]), (&json!(false), &json!(false)));
        assert_eq!(alert["billing_period"], "2026-08");
        assert!(alert["id"].as_u64().unwrap() < 1 << 53);
        assert!(
            !alert["title"].as_str().unwrap().is_empty()
                && !alert["message"].as_str().unwrap().is_empty()
        );
    }
    let stats = data(&server, "usage/alerted").await;
    listed.reverse();
    assert_eq!(stats["alerts"], json!(listed));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_jumps_raises_each_threshold_that_it_crosses() {
    let server = shared().await;
    record(&server, &calls("jump", "gemini", 70)).await;
    let receipt = record(&server, &calls("jump", "gemini", 30)).await;
    let told = receipt["alerts"].as_array().unwrap();
    assert_eq!(thresholds(told), [80, 90, 100]);
    let (listed, ..) = alerts(&server, "jump").await;
    assert_eq!(thresholds(&listed), [100, 90, 80]);

    // After an upgrade the higher limit warns anew.
    server.subscribe("jump", "basic").await;
    let receipt = record(&server, &calls("jump", "gemini", 700)).await;
    assert_eq!(thresholds(receipt["alerts"].as_array().unwrap()), [80]);
    let (listed, total, _) = alerts(&server, "jump").await;
    assert_eq!((thresholds(&listed), total), (vec![80, 100, 90, 80], json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_warns_at_once_of_a_limit_that_is_nearly_reached() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let to_log = json!({ "log": true });
    server.put("/v1/subjects/ann/notifications", &to_log).await.expect(200);
    server.subscribe("ann", "basic").await;
    let receipt = record(&server, &calls("ann", "gemini", 85)).await;
    assert_eq!(receipt["alerts"], json!([]), "85 of 1,000");

    // Back to a plan with 100.
    server.subscribe("ann", "free").await;
    let (listed, total, unread) = alerts(&server, "ann").await;
    assert_eq!((&total, &unread), (&json!(1), &json!(1)));
    assert_eq!((&listed[0]["type"], thresholds(&listed)), (&json!("usage_warning"), vec![80]));
    assert_eq!(
        (&listed[0]["quota"], &listed[0]["billing_period"]),
        (&json!("gemini_calls"), &json!("2026-08"))
    );
    let dashboard = data(&server, "dashboard/ann").await;
    assert_eq!(dashboard["summary"]["unread_alerts"], 1);
    let told = async |server: &Server| {
        let told = server.get("/v1/notifications?subject=ann").await.expect(200);
        told["notifications"].as_array().unwrap().clone()
    };
    let notified = told(&server).await;
    assert_eq!(notified.len(), 1);
    assert_eq!(notified[0]["alert_id"], listed[0]["id"]);
    server.kill();

    let server = Server::start_at(&home, "2026-08-10T13:00:00Z").await;
    server.subscribe("ann", "free").await;
    let receipt = record(&server, &calls("ann", "gemini", 1)).await;
    assert_eq!(receipt["alerts"], json!([]), "never twice");
    let ids = |alerts: &[Value]| alerts.iter().map(|a| a["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&alerts(&server, "ann").await.0), ids(&listed));
    assert_eq!(told(&server).await.len(), 1);
    let receipt = record(&server, &calls("ann", "gemini", 4)).await;
    assert_eq!(thresholds(receipt["alerts"].as_array().unwrap()), [90]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_warns_without_a_provider() {
    let server = shared().await;
    server.subscribe("costly", "basic").await;
    let event = super::used("costly", 1, "50", "2026-08-10T11:00:00Z");
    let receipt = record(&server, &event).await;
    let told = receipt["alerts"].as_array().unwrap();
    let kinds: Vec<_> = told.iter().map(|alert| alert["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["cost_warning", "cost_warning", "cost_limit_reached"]);
    assert!(told.iter().all(|alert| alert.get("provider").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_read_once_and_stays_read() {
    let home = Home::new();
    let server = Server::start(&home).await;
    record(&server, &calls("ann", "gemini", 100)).await;
    let (listed, ..) = alerts(&server, "ann").await;
    let before = data(&server, "dashboard/ann").await;
    assert_eq!(before["summary"]["unread_alerts"], 3);
    assert_eq!(mark_read(&server, &listed[1]).await, json!({ "message": "Alert marked as read" }));
    let (read, ..) = alerts(&server, "ann").await;
    assert_eq!(read[1]["is_read"], true);
    assert!(read[1]["read_at"].is_string());
    assert_eq!(mark_read(&server, &listed[1]).await, json!({ "message": "Alert marked as read" }));
    server.kill();

    let server = Server::start_at(&home, "2026-08-10T13:00:00Z").await;
    let (again, total, unread) = alerts(&server, "ann").await;
    assert_eq!(again, read, "numbers, and when it was read, are the same for ever");
    assert_eq!((&total, &unread), (&json!(3), &json!(2)));
    let (unread, total, _) = alerts(&server, "ann?unread_only=true").await;
    assert_eq!((thresholds(&unread), total), (vec![100, 80], json!(2)));
    let (first, total, _) = alerts(&server, "ann?limit=1").await;
    assert_eq!((thresholds(&first), total), (vec![100], json!(3)));
    let after = data(&server, "dashboard/ann").await;
    assert_eq!(after["summary"]["unread_alerts"], 2);
    assert_eq!(after["alerts"], json!(unread), "dashboard notifications are those that are unread");
    record(&server, &calls("ann", "gemini", 1)).await;
    assert_eq!(alerts(&server, "ann").await.0.len(), 3, "never twice, also not after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_alert_cannot_be_read() {
    let server = shared().await;
    record(&server, &calls("no-alert", "gemini", 80)).await;
    let (listed, ..) = alerts(&server, "no-alert").await;
    let known = listed[0]["id"].as_u64().unwrap();
    // The last that its block could have raised; others may have come after it in the same block.
    let never = (known | 0xfff).to_string();
    for id in [never.as_str(), "9007199254740991", "x", "+5"] {
        let path = format!("/api/subscription/alerts/{id}/mark-read");
        failure(server.post(&path, &json!({})).await, 404, "SubscriptionException");
    }
    for (query, pointer) in [("unread_only=yes", "/unread_only"), ("limit=0", "/limit")] {
        let wrong = server.get(&format!("/api/subscription/alerts/ann?{query}")).await;
        let wrong = failure(wrong, 400, "SubscriptionException");
        assert_eq!(wrong["details"]["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_a_past_period_are_listed_with_it() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-07-31T23:00:00Z").await;
    record(&server, &calls("ann", "gemini", 80)).await;
    server.kill();
    let server = Server::start_at(&home, "2026-08-01T01:00:00Z").await;
    record(&server, &calls("ann", "gemini", 90)).await;
    for (query, expected) in [
        ("", vec![90, 80]),
        ("?billing_period=2026-08", vec![90, 80]),
        ("?billing_period=2026-07", vec![80]),
        ("?billing_period=2026-06", vec![]),
        ("?billing_period=all", vec![90, 80, 80]),
    ] {
        let stats = data(&server, &format!("usage/ann{query}")).await;
        assert_eq!(thresholds(stats["alerts"].as_array().unwrap()), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_notifications_are_shown_until_they_are_read() {
    let server = shared().await;
    record(&server, &calls("noticed", "gemini", 95)).await;
    for left in [2, 1, 0] {
        let dashboard = data(&server, "dashboard/noticed").await;
        let shown = dashboard["alerts"].as_array().unwrap();
        assert_eq!(shown.len(), left);
        assert_eq!(dashboard["summary"]["unread_alerts"], left);
        if let Some(newest) = shown.first() {
            mark_read(&server, newest).await;
        }
    }
    let (all, ..) = alerts(&server, "noticed").await;
    assert!(all.iter().all(|alert| alert["is_read"] == true), "what was read is still listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_upgrade_the_higher_limit_warns_anew_and_the_lower_one_not_again() {
    let server = shared().await;
    let raised = async |used: u64| {
        let receipt = record(&server, &calls("grown", "gemini", used)).await;
        thresholds(receipt["alerts"].as_array().unwrap())
    };
    assert_eq!(raised(85).await, [80]);
    server.subscribe("grown", "basic").await;
    assert_eq!(raised(714).await, [] as [u64; 0]);
    assert_eq!(raised(1).await, [80], "of a thousand");
    server.subscribe("grown", "free").await;
    let (listed, ..) = alerts(&server, "grown").await;
    let of_hundred = "of a hundred, at once; its 80 % were told before";
    assert_eq!(thresholds(&listed), [100, 90, 80, 80], "{of_hundred}");
    assert_eq!(raised(1).await, [] as [u64; 0]);
}
