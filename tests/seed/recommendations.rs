use std::path::Path;

use serde_json::{Value, json};

use super::{assert_members, calls, data, record};
use crate::support::{Home, Server, usd};

/// A third of a 30-day month has passed.
const THIRD: &str = "2026-06-11T00:00:00Z";
const LAST_MONTH: &str = "2026-05-20T12:00:00Z";

async fn recommended(server: &Server, user: &str) -> Vec<Value> {
    let mut dashboard = data(server, &format!("dashboard/{user}")).await;
    serde_json::from_value(dashboard["recommendations"].take()).unwrap()
}

/// The kind of each, and the plan that it names.
fn kinds(recommendations: &[Value]) -> Vec<(&str, &str)> {
    recommendations.iter().map(|it| (member(it, "type"), member(it, "plan"))).collect()
}

fn member<'a>(advice: &'a Value, name: &str) -> &'a str {
    advice[name].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheaper_model_for_the_same_use_is_recommended_with_what_it_would_have_saved() {
    let server = Server::start_at(&Home::new(), THIRD).await;
    server.subscribe("ann", "pro").await;
    let (input, output) = (1_000_003, 200_001);
    for _ in 0..3 {
        let usage = json!({ "input_tokens": input, "output_tokens": output });
        let event = json!({
            "subject": "ann", "provider": "gemini", "model": "gemini-2.5-pro", "usage": usage,
            "occurred_at": LAST_MONTH,
        });
        record(&server, &event).await;
    }
    let recommended = recommended(&server, "ann").await;
    assert_eq!(recommended.len(), 1, "{recommended:?}");
    let advice = &recommended[0];
    assert_members(advice, "type title message provider model saving");
    assert_eq!(advice["type"], "cheaper_model");
    assert_eq!(
        (&advice["provider"], &advice["model"]),
        (&json!("gemini"), &json!("gemini-2.5-flash"))
    );
    let pro = 3 * (input * 1_250 + output * 10_000);
    let flash = 3 * (input * 125 + output * 375);
    assert_eq!(advice["saving"].to_string(), usd(pro - flash));
    assert_eq!(
        advice["message"],
        format!(
            "ann used gemini-2.5-pro for {} USD in 2026-05. gemini-2.5-flash would have cost {} \
             USD for the same use: {} USD less.",
            usd(pro),
            usd(flash),
            usd(pro - flash)
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_does_not_sell_is_not_recommended_instead() {
    let server = Server::start_at(&Home::new(), THIRD).await;
    let plan = |providers: &[&str]| {
        json!({
            "name": "Search", "tier": "own", "price_monthly": 0, "price_yearly": 0,
            "providers": providers,
        })
    };
    let path = "/api/subscription/plans/search";
    server.put(path, &plan(&["metaphor"])).await.expect(200);
    server.subscribe("ann", "search").await;
    let searches = json!({ "subject": "ann", "provider": "metaphor", "usage": { "calls": 2_000 } });
    assert_eq!(record(&server, &searches).await["cost"], "6");
    assert_eq!(recommended(&server, "ann").await, [] as [Value; 0]);
    server.put(path, &plan(&["metaphor", "tavily"])).await.expect(200);
    let recommended = recommended(&server, "ann").await;
    assert_eq!(recommended.len(), 1, "{recommended:?}");
    assert_members(&recommended[0], "type title message provider saving");
    assert_eq!(recommended[0]["provider"], "tavily");
    assert_eq!(recommended[0]["saving"].to_string(), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_fits_better_is_recommended() {
    let server = Server::start_at(&Home::new(), THIRD).await;
    // Eighty of a hundred: the cheapest plan with room is Basic.
    record(&server, &calls("free", "gemini", 80)).await;
    let advice = recommended(&server, "free").await;
    assert_eq!(kinds(&advice), [("upgrade_plan", "basic")]);
    assert_members(&advice[0], "type title message plan");
    let listed = data(&server, "plans").await;
    let offered = listed["plans"].as_array().unwrap().iter().any(|plan| plan["id"] == "basic");
    assert!(offered, "what is recommended can be chosen");
    server.subscribe("free", "basic").await;
    assert_eq!(recommended(&server, "free").await, [] as [Value; 0]);

    // Of Enterprise a whole month used no more than Basic has.
    server.subscribe("idle", "enterprise").await;
    let mut event = calls("idle", "gemini", 500);
    event["occurred_at"] = json!(LAST_MONTH);
    record(&server, &event).await;
    let advice = recommended(&server, "idle").await;
    assert_eq!(kinds(&advice), [("downgrade_plan", "basic")]);
    assert_eq!(advice[0]["saving"].to_string(), "170");
    let message = advice[0]["message"].as_str().unwrap();
    assert!(message.contains("500 of 1000 calls"), "{message}");
    assert!(message.contains("no white_label, dedicated_support"), "{message}");
    record(&server, &calls("idle", "gemini", 200)).await;
    let advice = recommended(&server, "idle").await;
    assert_eq!(kinds(&advice), [("downgrade_plan", "pro")], "200 in a third of the month");
    record(&server, &calls("idle", "tavily", 1)).await;
    assert_eq!(kinds(&recommended(&server, "idle").await), [("downgrade_plan", "pro")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_comparable_is_the_operators_word() {
    let home = Home::new();
    home.edit(
        "threshold-alerts.toml",
        "models = [\"gemini-2.5-pro\"]",
        "models = [\"gemini-3-*\"]",
    );
    let server = Server::start_at(&home, THIRD).await;
    server.subscribe("ann", "pro").await;
    let used = |model: &str| {
        json!({
            "subject": "ann", "provider": "gemini", "model": model,
            "usage": { "input_tokens": 4_000_000 },
        })
    };
    record(&server, &used("gemini-2.5-pro")).await;
    let advice = recommended(&server, "ann").await;
    assert!(advice.iter().all(|it| it["type"] != "cheaper_model"), "{advice:?}");
    record(&server, &used("gemini-3-flash-preview")).await;
    let advice = recommended(&server, "ann").await;
    let cheaper: Vec<_> = advice.iter().filter(|it| it["type"] == "cheaper_model").collect();
    assert_eq!(cheaper.len(), 1, "{advice:?}");
    assert_eq!(cheaper[0]["title"], "gemini-2.5-flash costs less than gemini-3-flash-preview");
    assert_eq!(cheaper[0]["saving"].to_string(), "1.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_policy_of_earlier_days_recommends_as_it_did() {
    let home = Home::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/0.1.0");
    for file in ["threshold-alerts.wasm", "threshold-alerts.toml"] {
        std::fs::copy(fixtures.join(file), home.policy(file)).unwrap();
    }
    let server = Server::start_at(&home, THIRD).await;
    record(&server, &calls("ann", "gemini", 100)).await;
    let advice = recommended(&server, "ann").await;
    assert_eq!(kinds(&advice), [("upgrade_plan", "")]);
    assert_members(&advice[0], "type title message");
}
