use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{assert_members, data, failure, record, used};
use crate::support::{Home, Server, shared};

fn ids(page: &Value) -> Vec<String> {
    let logs = page["logs"].as_array().unwrap().iter();
    logs.map(|log| log["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_tells_all_of_a_call() {
    let server = shared().await;
    let event = json!({
        "event_id": "e1", "subject": "logged", "provider": "gemini", "model": "gemini-2.5-flash",
        "endpoint": "/api/generate", "method": "POST", "response_time_ms": 2_500,
        "usage": { "input_tokens": 1_000, "output_tokens": 500 }, "status_code": 503,
        "error": "overloaded", "occurred_at": "2026-07-31T23:59:59.5Z",
    });
    record(&server, &event).await;
    let page = data(&server, "usage-logs/logged").await;
    assert_members(&page, "logs total_count limit offset has_more");
    assert_eq!((&page["total_count"], &page["has_more"]), (&json!(1), &json!(false)));
    assert_eq!((&page["limit"], &page["offset"]), (&json!(50), &json!(0)));
    let log = &page["logs"][0];
    for (member, text) in [
        ("id", "\"e1\""),
        ("timestamp", "\"2026-07-31T23:59:59.500Z\""),
        ("provider", "\"gemini\""),
        ("model_used", "\"gemini-2.5-flash\""),
        ("endpoint", "\"/api/generate\""),
        ("method", "\"POST\""),
        ("tokens_input", "1000"),
        ("tokens_output", "500"),
        ("tokens_total", "1500"),
        ("cost_input", "0.000125"),
        ("cost_output", "0.0001875"),
        ("cost_total", "0.0003125"),
        ("response_time", "2.5"),
        ("status_code", "503"),
        ("status", "\"failed\""),
        ("error_message", "\"overloaded\""),
        ("billing_period", "\"2026-07\""),
    ] {
        assert_eq!(log[member].to_string(), text, "{member}");
    }
    let correction = json!({
        "subject": "logged", "event_id": "e1", "correction_id": "c1",
        "replacement": { "input_tokens": 2_000, "output_tokens": 0 },
    });
    server.post("/v1/usage/corrections", &correction).await.expect(201);
    let page = data(&server, "usage-logs/logged").await;
    assert_eq!(page["total_count"], 1, "a correction is no call");
    let log = &page["logs"][0];
    assert_eq!((&log["tokens_input"], &log["tokens_total"]), (&json!(2_000), &json!(2_000)));
    assert_eq!(log["cost_total"].to_string(), "0.00025");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_newest_first_and_have_each_call_once() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut expected = Vec::new();
    for i in 0..57_u32 {
        let (day, provider) = (1 + i * 17 % 29, ["gemini", "openai", "tavily"][i as usize % 3]);
        let status_code = if i % 4 == 0 { 429 } else { 200 };
        let at = format!("2026-07-{day:02}T{:02}:00:00Z", i % 24);
        let event = json!({
            "event_id": format!("e{i:02}"), "subject": "ann", "provider": provider, "cost": "0.01",
            "usage": {}, "status_code": status_code, "occurred_at": at,
        });
        record(&server, &event).await;
        expected.push((at, format!("e{i:02}"), provider, status_code >= 400));
    }
    record(&server, &used("bob", 1, "1", "2026-07-15T00:00:00Z")).await;
    expected.sort_by(|a, b| b.cmp(a));
    for filter in ["", "&provider=openai", "&status=failed", "&status=success&provider=gemini"] {
        let expected: Vec<_> = expected
            .iter()
            .filter(|(_, _, provider, failed)| match filter {
                "" => true,
                "&provider=openai" => *provider == "openai",
                "&status=failed" => *failed,
                _ => *provider == "gemini" && !failed,
            })
            .map(|(_, id, ..)| id.clone())
            .collect();
        let mut found = Vec::new();
        loop {
            let query = format!("usage-logs/ann?limit=10&offset={}{filter}", found.len());
            let page = data(&server, &query).await;
            assert_eq!(page["total_count"], expected.len(), "{filter}");
            let more = expected.len() > found.len() + 10;
            assert_eq!(page["has_more"], more, "{filter} {}", found.len());
            found.extend(ids(&page));
            if !more {
                break;
            }
        }
        assert_eq!(found, expected, "{filter}");
    }
    let beyond = data(&server, "usage-logs/ann?offset=57").await;
    assert_eq!((ids(&beyond).len(), &beyond["has_more"]), (0, &json!(false)));
    server.kill();
    let server = Server::start(&home).await;
    let page = data(&server, "usage-logs/ann?limit=1000").await;
    let all: Vec<_> = expected.iter().map(|(_, id, ..)| id.clone()).collect();
    assert_eq!(ids(&page), all, "also after the process was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_sees_what_lies_beneath_it() {
    let server = shared().await;
    for path in ["logs-acme/ml/ann", "logs-acme/ml/bob", "logs-acme/ops"] {
        record(&server, &used(path, 1, "0", "2026-08-10T11:00:00Z")).await;
    }
    for (path, count) in
        [("logs-acme", 3), ("logs-acme%2Fml", 2), ("logs-acme%2Fml%2Fann", 1), ("logs-ac", 0)]
    {
        let page = data(&server, &format!("usage-logs/{path}")).await;
        assert_eq!((ids(&page).len(), &page["total_count"]), (count, &json!(count)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_refused_by_its_field() {
    let server = shared().await;
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("offset=-1", "/offset"),
        ("status=ok", "/status"),
        ("provider=Gemini", "/provider"),
        ("provder=gemini", "/provder"),
    ] {
        let wrong = server.get(&format!("/api/subscription/usage-logs/ann?{query}")).await;
        let wrong = failure(wrong, 400, "SubscriptionException");
        assert_eq!(wrong["details"]["errors"][0]["pointer"], pointer, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_meanwhile_is_in_no_page_twice() {
    let server = shared().await;
    let line = |i: u32| {
        let at = format!("2026-08-09T{:02}:{:02}:00Z", i / 60, i % 60);
        used("logs-busy", u64::from(i), "0", &at).to_string()
    };
    let lines = |range: std::ops::Range<u32>| range.map(line).collect::<Vec<_>>().join("\n");
    let ingest = async |lines: String| {
        let request = server.request(reqwest::Method::POST, "/v1/usage");
        let request = request.header("content-type", "application/x-ndjson").body(lines);
        crate::support::Answer::to(request).await.unwrap().expect(200)
    };
    ingest(lines(0..600)).await;
    let (_, pages) = tokio::join!(ingest(lines(600..1_200)), async {
        let mut pages = Vec::new();
        for offset in [0, 100, 200] {
            pages.push(
                data(&server, &format!("usage-logs/logs-busy?limit=100&offset={offset}")).await,
            );
        }
        pages
    });
    for page in pages {
        let ids = ids(&page);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
        assert!(page["total_count"].as_u64().unwrap() >= 600);
    }
    let all = data(&server, "usage-logs/logs-busy?limit=1000").await;
    assert_eq!((&all["total_count"], &all["has_more"]), (&json!(1_200), &json!(true)));
    let last = data(&server, "usage-logs/logs-busy?limit=1000&offset=1000").await;
    let tokens: Vec<_> = last["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["tokens_input"].as_u64().unwrap())
        .collect();
    assert_eq!(tokens, (0..200).rev().collect::<Vec<_>>());
}
