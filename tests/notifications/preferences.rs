use serde_json::{Value, json};

use super::{NOON, SECRET, prefer, serve, use_calls, wait_for};
use crate::support::{Home, eventually, shared};

const PATH: &str = "/v1/subjects/ntf-prefs%2Fann/notifications";

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_shown_as_they_can_be_set_again_with_secrets_masked() {
    let server = shared().await;
    let missing = server.get(PATH).await.problem(404);
    let detail = "ntf-prefs/ann has no preferences of its own: nobody is told of its alerts";
    assert_eq!(missing["detail"], detail);
    server.put("/v1/subjects/ntf-prefs/notifications", &json!({ "log": true })).await.expect(200);
    let missing = server.get(PATH).await.problem(404);
    assert!(missing["detail"].as_str().unwrap().ends_with("those of ntf-prefs apply"), "{missing}");

    let url = "https://example.com/hook";
    let whole = json!({
        "emails": ["ann@example.com", "ops@example.com"],
        "webhooks": [{ "url": url, "secret": SECRET }],
        "log": true,
        "severities": ["warning", "error"],
        "quiet_hours": { "from": "22:00", "to": "07:30", "timezone": "Europe/Berlin", "except_errors": true },
        "digest": { "every": "day", "at": "08:00", "timezone": "Europe/Berlin", "except_errors": false },
    });
    let shown = server.put(PATH, &whole).await.expect(200);
    let mut expected = whole.clone();
    expected["webhooks"][0]["secret"] = shown["webhooks"][0]["secret"].clone();
    assert_eq!(shown, expected);
    assert!(!shown.to_string().contains("MfKQ"));
    assert_eq!(server.get(PATH).await.expect(200), shown);
    assert_eq!(server.put(PATH, &shown).await.expect(200), shown, "and what is shown can be sent");
    for digest in [
        json!({ "every": "hour", "timezone": "UTC", "except_errors": false }),
        json!({ "every_minutes": 15, "timezone": "UTC", "except_errors": true }),
    ] {
        let shown = server.put(PATH, &json!({ "digest": digest })).await.expect(200);
        assert_eq!(shown["digest"], digest);
    }
    let nothing = server.put(PATH, &json!({})).await.expect(200);
    let nobody = json!({ "emails": [], "webhooks": [], "log": false, "severities": [], "quiet_hours": null, "digest": null });
    assert_eq!(nothing, nobody);
    for _ in 0..2 {
        server.delete(PATH).await.expect(204);
    }
    server.get(PATH).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_preferences_is_told_by_its_field() {
    let server = shared().await;
    let hook = |url: &str, secret: Value| json!({ "webhooks": [{ "url": url, "secret": secret }] });
    let good = "https://example.com/";
    let many = |count: usize| (0..count).map(|i| format!("u{i}@example.com")).collect::<Vec<_>>();
    for (body, pointer) in [
        (json!({ "emails": "ann@example.com" }), "/emails"),
        (json!({ "emails": ["ann@example.com", "ann"] }), "/emails/1"),
        (json!({ "emails": ["a@b.c", "a@b.c"] }), "/emails/1"),
        (json!({ "emails": many(21) }), "/emails"),
        (json!({ "email": [] }), "/email"),
        (hook("ftp://example.com", json!(SECRET)), "/webhooks/0/url"),
        (hook(good, json!("whsec_short")), "/webhooks/0/secret"),
        (hook(good, json!([SECRET, "secret"])), "/webhooks/0/secret/1"),
        (hook(good, json!([])), "/webhooks/0/secret"),
        (hook(good, json!("whsec_********01234567")), "/webhooks/0/secret"),
        (json!({ "webhooks": [{ "url": good }] }), "/webhooks/0/secret"),
        (json!({ "severities": ["fatal"] }), "/severities/0"),
        (json!({ "quiet_hours": { "from": "22:00" } }), "/quiet_hours/to"),
        (json!({ "quiet_hours": { "from": "22:00", "to": "25:00" } }), "/quiet_hours/to"),
        (json!({ "quiet_hours": { "from": "22:00", "to": "22:00" } }), "/quiet_hours/to"),
        (
            json!({ "quiet_hours": { "from": "22:00", "to": "07:00", "timezone": "Mars" } }),
            "/quiet_hours/timezone",
        ),
        (json!({ "digest": {} }), "/digest/every"),
        (json!({ "digest": { "every": "week" } }), "/digest/every"),
        (json!({ "digest": { "every": "day" } }), "/digest/at"),
        (json!({ "digest": { "every": "hour", "at": "08:00" } }), "/digest/at"),
        (json!({ "digest": { "every_minutes": 0 } }), "/digest/every_minutes"),
        (json!({ "digest": { "every": "hour", "every_minutes": 5 } }), "/digest/every_minutes"),
    ] {
        let problem = server.put("/v1/subjects/ntf-wrong/notifications", &body).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        assert!(!problem.to_string().contains("MfKQ"), "no secret is repeated: {problem}");
    }
    let wrong = server.put("/v1/subjects/a%2F%2Fb/notifications", &json!({})).await.problem(400);
    assert_eq!(wrong["errors"][0]["pointer"], "/subject");
    server.get("/v1/subjects/ntf-wrong/notifications").await.problem(404);
    server.get("/v1/subjects/ntf-wrong/notifications?x=1").await.problem(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_can_be_told_in_the_log() {
    let home = Home::new();
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &json!({ "log": true })).await;
    use_calls(&server, "ann", 80).await;
    let line = eventually("it is in the log", async || {
        let log = server.log();
        log.lines().find(|line| line.contains("tollgate::alerts")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("WARN") && line.contains("subject=ann"), "{line}");
    let sent = wait_for(&server, "state=sent", 1).await;
    assert_eq!((&sent[0]["channel"], &sent[0]["address"]), (&json!("log"), &Value::Null));
}
