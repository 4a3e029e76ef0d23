use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{NOON, SECRET, notifications, prefer, serve, thresholds, use_calls, wait_for, webhook};
use crate::support::{Home, shared};

const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_by_a_signed_webhook_and_says_when() {
    let (home, receiver) = (Home::new(), Receiver::start(204).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    let [received] = &receiver.wait_for(1).await[..] else { panic!("one") };
    assert!(received.is_signed_with(SECRET), "{received:?}");
    assert!(!received.is_signed_with(OTHER_SECRET));
    assert!(received.id().starts_with("msg_") && !received.id().contains('.'));
    assert_eq!(received.header("content-type"), "application/json");
    let noon = 1_786_363_205;
    assert!((noon..noon + 60).contains(&received.timestamp()), "{received:?}");
    let told = received.json();
    let data = &told["data"];
    assert_eq!(told["type"], "alert.raised");
    assert_eq!(told["timestamp"], data["created_at"]);
    for (member, value) in [
        ("subject", json!("ann")),
        ("quota", json!("gemini_calls")),
        ("threshold_percentage", json!(80)),
        ("type", json!("usage_warning")),
        ("limit", json!("100")),
        ("billing_period", json!("2026-08")),
    ] {
        assert_eq!(data[member], value, "{member} in {told}");
    }

    let [sent] = &wait_for(&server, "state=sent", 1).await[..] else { panic!("one") };
    assert_eq!((&sent["channel"], &sent["address"]), (&json!("webhook"), &json!(receiver.url())));
    assert_eq!((&sent["attempts"], &sent["alert_id"]), (&json!(1), &data["id"]));
    let alerts = server.get("/api/subscription/alerts/ann").await.data();
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["id"], &alert["is_sent"]), (&data["id"], &json!(true)));
    assert_eq!(alert["sent_at"], sent["sent_at"]);
    assert_eq!(alert["message"], data["message"]);
    let metrics = server.get("/metrics").await.text;
    let line = "tollgate_notifications_total{channel=\"webhook\",outcome=\"sent\"} 1";
    assert!(metrics.lines().any(|other| other == line), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_of_an_event_is_told_and_whoever_has_no_address_costs_nothing() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "bob", 100).await;
    use_calls(&server, "ann", 100).await;
    let received = receiver.wait_for(3).await;
    let alerts: Vec<_> = received.iter().flat_map(|received| received.alerts()).collect();
    assert_eq!(thresholds(&alerts), [80, 90, 100]);
    assert!(alerts.iter().all(|alert| alert["subject"] == "ann"));
    let mut ids: Vec<_> = received.iter().map(|received| received.id()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    wait_for(&server, "state=sent&subject=ann", 3).await;
    assert_eq!(notifications(&server, "subject=bob").await.len(), 0);
    let bob = server.get("/api/subscription/alerts/bob").await.data();
    assert_eq!(
        (&bob["alerts"][0]["is_sent"], &bob["alerts"][0]["sent_at"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_takes_over_both_sign() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, NOON, &[]).await;
    let shown = prefer(&server, "ann", &webhook(&receiver)).await;
    let old = shown["webhooks"][0]["secret"][0].as_str().unwrap();
    assert!(old.starts_with("whsec_****") && !shown.to_string().contains(SECRET), "{shown}");
    // The old one is known by what is shown of it.
    let both = json!({ "webhooks": [{ "url": receiver.url(), "secret": [OTHER_SECRET, old] }] });
    let shown = prefer(&server, "ann", &both).await;
    assert_eq!(shown["webhooks"][0]["secret"].as_array().unwrap().len(), 2);
    use_calls(&server, "ann", 80).await;
    let received = receiver.wait_for(1).await;
    assert!(received[0].is_signed_with(SECRET) && received[0].is_signed_with(OTHER_SECRET));
    let newest = shown["webhooks"][0]["secret"][0].clone();
    let new = json!({ "webhooks": [{ "url": receiver.url(), "secret": newest }] });
    prefer(&server, "ann", &new).await;
    use_calls(&server, "ann", 10).await;
    let received = receiver.wait_for(2).await;
    assert!(!received[1].is_signed_with(SECRET) && received[1].is_signed_with(OTHER_SECRET));
    assert!(!server.log().contains("whsec_"), "no secret is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_level_says_where_and_the_default_where_none_does() {
    let home = Home::new();
    let [team, default] = [Receiver::start(200).await, Receiver::start(200).await];
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "acme", &webhook(&team)).await;
    server.put("/v1/notifications/default", &webhook(&default)).await.expect(200);
    server.subscribe("acme%2Fml%2Fann", "free").await;
    use_calls(&server, "acme/ml/ann", 80).await;
    use_calls(&server, "zoe", 80).await;
    let alert = team.wait_for(1).await[0].alerts().remove(0);
    assert_eq!(alert["subject"], "acme/ml/ann");
    assert_eq!(default.wait_for(1).await[0].alerts()[0]["subject"], "zoe");
    let [of_ann] = &wait_for(&server, "state=sent&subject=acme/ml/ann", 1).await[..] else {
        panic!("one")
    };
    assert_eq!(of_ann["preferences_of"], "acme");
    server.delete("/v1/notifications/default").await.expect(204);
    server.get("/v1/notifications/default").await.problem(404);
    use_calls(&server, "zoe", 10).await;
    prefer(&server, "yan", &webhook(&default)).await;
    use_calls(&server, "yan", 80).await;
    let received = default.wait_for(2).await;
    assert_eq!(received[1].alerts()[0]["subject"], "yan", "nothing more was told of zoe");
}

/// The receiver's other address would be told if the service went there.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let home = Home::new();
    let [receiver, elsewhere] = [Receiver::start(307).await, Receiver::start(200).await];
    receiver.answer(307, &[("location", &elsewhere.url())]);
    let server = serve(&home, NOON, &["--notify-attempts", "1"]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    let [dead] = &wait_for(&server, "state=dead", 1).await[..] else { panic!("one") };
    assert_eq!(dead["error"], "the answer was 307 Temporary Redirect: as it is");
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_go_to_public_addresses_alone_unless_a_setting_says_otherwise() {
    let server = shared().await;
    let path = "/v1/subjects/ntf-private/notifications";
    for (url, why) in [
        ("http://127.0.0.1:9/", "leads to an address that is not public"),
        ("https://[::ffff:10.0.0.1]/", "leads to an address that is not public"),
        ("http://169.254.169.254/latest", "leads to an address that is not public"),
        ("https://ann:pass@example.com/", "must not have a user name or a password in it"),
    ] {
        let body = json!({ "webhooks": [{ "url": url, "secret": SECRET }] });
        let problem = server.put(path, &body).await.problem(400);
        let expected = json!([{ "pointer": "/webhooks/0/url", "detail": why }]);
        assert_eq!(problem["errors"], expected, "{url}");
    }
    // What a name means is known only when it is resolved.
    let receiver = Receiver::start(200).await;
    let url = format!("http://localhost:{}/", receiver.address().port());
    let body = json!({ "webhooks": [{ "url": url, "secret": SECRET }] });
    server.put(path, &body).await.expect(200);
    use_calls(&server, "ntf-private", 80).await;
    let [failed] = &crate::support::eventually("it is tried", async || {
        let found = notifications(&server, "subject=ntf-private").await;
        (found[0]["attempts"].as_u64() > Some(0)).then_some(found)
    })
    .await[..] else {
        panic!("one")
    };
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("its addresses are not public"), "{error}");
    assert_eq!(receiver.received().len(), 0);
    server.delete(path).await.expect(204);
}
