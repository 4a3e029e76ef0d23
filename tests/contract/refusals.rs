use serde_json::{Value, json};

use super::{call, use_calls, with};
use crate::support::{Client, shared};

async fn refusals(client: &Client, query: &str) -> Value {
    client.get(&format!("/v1/refusals?{query}")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_kept_with_what_was_asked_and_answered() {
    let server = shared().await;
    let subject = "refusals-kept";
    use_calls(&server, subject, 100).await;
    let asked = with(call(subject), "metadata", json!({ "job": "nightly" }));
    let answer = server.post("/v1/reservations", &asked).await.problem(429);
    server.post("/v1/check", &asked).await.expect(200);
    let elsewhere = with(call(subject), "provider", "tavily");
    server.post("/v1/reservations", &elsewhere).await.problem(403);

    let found = refusals(&server, &format!("subject={subject}")).await;
    let list = found["refusals"].as_array().unwrap();
    assert_eq!(list.len(), 2, "checks are not kept: {found}");
    let (newest, oldest) = (&list[0], &list[1]);
    assert_eq!(newest["denied"]["reason"], "not_in_plan");
    assert_eq!(oldest["denied"], answer["denied"]);
    assert_eq!(
        (&oldest["allowed"], &oldest["usage"]["input_tokens"]),
        (&json!(false), &json!(1000))
    );
    assert_eq!(
        (&oldest["metadata"]["job"], &oldest["estimated_cost"]),
        (&json!("nightly"), &json!("0.0003125"))
    );
    let quota = oldest["quotas"].as_array().unwrap().iter().find(|q| q["name"] == "gemini_calls");
    assert_eq!(quota.unwrap()["used"], "100");
    assert!(oldest["refused_at"].as_str() <= newest["refused_at"].as_str());

    let count = |reason: &str, quota: Value| json!({ "billing_period": "2026-08", "reason": reason, "quota": quota, "count": 1 });
    let counts =
        [count("not_in_plan", Value::Null), count("quota_exceeded", json!("gemini_calls"))];
    assert_eq!(found["counts"], json!(counts));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_come_in_pages_and_spans() {
    let server = shared().await;
    let subject = "refusals-pages";
    use_calls(&server, subject, 100).await;
    for _ in 0..5 {
        server.post("/v1/reservations", &call(subject)).await.problem(429);
    }
    let (mut ids, mut before) = (vec![], String::new());
    loop {
        let page = refusals(&server, &format!("subject={subject}&limit=2{before}")).await;
        let list = page["refusals"].as_array().unwrap();
        ids.extend(list.iter().map(|one| one["refusal_id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        before = format!("&before={}", ids.last().unwrap());
    }
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((ids.len(), once.len()), (5, 5));
    let past = refusals(&server, &format!("subject={subject}&to=2026-08-10T00:00:00Z")).await;
    assert_eq!(past["refusals"], json!([]));
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=x", "/limit"),
        ("before=ev-1-0", "/before"),
        ("from=2026-08-11T00:00:00Z&to=2026-08-10T00:00:00Z", "/to"),
        ("subjct=a", "/subjct"),
    ] {
        let problem = server.get(&format!("/v1/refusals?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
}
