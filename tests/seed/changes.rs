use serde_json::{Value, json};

use super::{assert_members, failure};
use crate::support::{Home, Server};

const PLAN: &str = "/api/subscription/plans/team";

fn plan() -> Value {
    json!({
        "name": "Team", "tier": "pro", "price_monthly": 49.5, "price_yearly": 495,
        "description": "for teams", "features": ["white_label"], "providers": ["gemini"],
        "quotas": [{
            "name": "gemini_calls", "meter": "calls", "providers": ["gemini"], "window": "month",
            "limit": 10, "mode": "hard", "grace_percent": 10,
        }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_validated_field_by_field() {
    let server = Server::start(&Home::new()).await;
    let made = server.put(PLAN, &plan()).await.data();
    assert_members(
        &made,
        "id name tier price_monthly price_yearly description features providers quotas limits",
    );
    assert_eq!(made["price_monthly"].to_string(), "49.5");
    for (pointer, wrong) in [
        ("/name", json!(5)),
        ("/name", json!("")),
        ("/tier", json!(" ")),
        ("/price_monthly", json!(-1)),
        ("/price_yearly", json!("much")),
        ("/features/0", json!("white label")),
        ("/providers/0", json!("Gemini")),
        ("/quotas/0/name", json!("gemini calls")),
        ("/quotas/0/meter", json!("all calls")),
        ("/quotas/0/providers/0", json!("")),
        ("/quotas/0/window", json!("fortnight")),
        ("/quotas/0/limit", json!(-1)),
        ("/quotas/0/mode", json!("firm")),
        ("/quotas/0/grace_percent", json!(-1)),
    ] {
        let mut body = plan();
        *body.pointer_mut(pointer).unwrap() = wrong;
        let failed = failure(server.put(PLAN, &body).await, 400, "SubscriptionException");
        let errors = &failed["details"]["errors"];
        assert_eq!(errors[0]["pointer"], pointer, "{failed}");
        assert!(failed["message"].as_str().unwrap().starts_with(&format!("{pointer}: ")));
    }
    for missing in ["name", "tier", "price_monthly", "price_yearly"] {
        let mut body = plan();
        body.as_object_mut().unwrap().remove(missing);
        let failed = failure(server.put(PLAN, &body).await, 400, "SubscriptionException");
        let error = &failed["details"]["errors"][0];
        assert_eq!(error["pointer"], format!("/{missing}"), "{failed}");
        assert_eq!(error["detail"], "is missing");
    }
    let again = server.get("/api/subscription/plans").await.data();
    let plans = again["plans"].as_array().unwrap();
    assert!(plans.contains(&made), "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_put_can_be_read_and_put_again() {
    let server = Server::start(&Home::new()).await;
    let mut put = plan();
    put["quotas"] = json!([
        {
            "name": "gemini_calls", "meter": "calls", "providers": ["gemini"],
            "models": ["gemini-2.5-pro", "gemini-2.5-flash"], "window": "sliding:3600",
            "limit": 10, "mode": "soft", "grace_percent": 0,
        },
        {
            "name": "monthly_cost", "meter": "cost", "providers": [], "models": [],
            "window": "month", "limit": 12.345678, "mode": "hard", "grace_percent": 5,
        },
        {
            "name": "images", "meter": "images", "providers": [], "models": [],
            "window": "lifetime", "limit": null, "mode": "hard", "grace_percent": 0,
        },
        {
            "name": "pages", "meter": "pages", "providers": [], "models": [],
            "window": "day", "limit": 0, "mode": "hard", "grace_percent": 0,
        },
    ]);
    for providers in [json!(["gemini", "openai"]), json!([]), Value::Null] {
        put["providers"] = providers;
        let mut made = server.put(PLAN, &put).await.data();
        for (name, value) in put.as_object().unwrap() {
            assert_eq!(made[name].to_string(), value.to_string(), "{name}");
        }
        server.subscribe("ann", "team").await;
        let path = "/api/subscription/user/ann/subscription";
        let subscription = server.get(path).await.data();
        for member in ["quotas", "providers", "features", "limits"] {
            assert_eq!(subscription[member], made[member], "{member}");
        }
        let listed = server.get("/api/subscription/plans").await.data();
        assert!(listed["plans"].as_array().unwrap().contains(&made));
        // The limits say in other words what the quotas do.
        let limits = made.as_object_mut().unwrap().remove("limits").unwrap();
        assert_eq!(limits["monthly_cost"].to_string(), "12.345678");
        let again = server.put(PLAN, &made).await.data();
        made["limits"] = limits;
        assert_eq!(again, made);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shipped_plan_can_be_put_as_it_was_read() {
    let server = Server::start(&Home::new()).await;
    let before = server.get("/api/subscription/plans").await.data();
    for plan in before["plans"].as_array().unwrap() {
        let mut put = plan.clone();
        put.as_object_mut().unwrap().remove("limits");
        let path = format!("/api/subscription/plans/{}", plan["id"].as_str().unwrap());
        assert_eq!(server.put(&path, &put).await.data(), *plan);
    }
    assert_eq!(server.get("/api/subscription/plans").await.data(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_listed_cheapest_first() {
    let server = Server::start(&Home::new()).await;
    server.put(PLAN, &plan()).await.data();
    let plans = server.get("/api/subscription/plans").await.data();
    let ids: Vec<_> = plans["plans"].as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
    assert_eq!(ids, ["free", "basic", "team", "pro", "enterprise"]);
    assert_eq!(plans["total"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_validated_field_by_field() {
    let server = Server::start(&Home::new()).await;
    let path = "/api/subscription/pricing/gemini/own";
    for (wrong, pointer) in [
        (json!({ "cost_per_input_token": -1 }), "/cost_per_input_token"),
        (json!({ "cost_per_input_token": 1e-20 }), "/cost_per_input_token"),
        (json!({ "cost_per_image": "much" }), "/cost_per_image"),
        (json!({ "cost_per_word": 1 }), "/cost_per_word"),
        (json!({ "provider": "openai", "cost_per_page": 1 }), "/provider"),
        (json!({ "model_name": "other", "cost_per_page": 1 }), "/model_name"),
        (json!({ "cost_per_page": 1, "effective_date": "soon" }), "/effective_date"),
        (json!({ "description": "costs nothing?" }), ""),
    ] {
        let failed = failure(server.put(path, &wrong).await, 400, "PricingException");
        assert_eq!(failed["details"]["errors"][0]["pointer"], pointer, "{failed}");
        assert!(!failed["message"].as_str().unwrap().starts_with(':'), "{failed}");
    }
    let prices = server.get("/api/subscription/pricing?provider=gemini").await.data();
    let own = |row: &&Value| row["model_name"] == "own";
    assert_eq!(prices["pricing"].as_array().unwrap().iter().filter(own).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_price_list_can_be_sent_back_as_it_was_read() {
    let server = Server::start(&Home::new()).await;
    let path = "/api/subscription/pricing/gemini/own";
    let price = json!({
        "cost_per_input_token": 0.000001, "cost_per_request": "0.5", "description": "mine",
        "effective_date": "2026-01-31",
    });
    let row = server.put(path, &price).await.data();
    assert_members(
        &row,
        "provider model_name cost_per_input_token cost_per_output_token cost_per_request \
         cost_per_search cost_per_image cost_per_page description effective_date other_rates tiers",
    );
    assert_eq!(row["cost_per_input_token"].to_string(), "0.000001");
    assert_eq!(row["effective_date"], "2026-01-31T00:00:00Z");
    // A later price does not hide it.
    let later = json!({ "cost_per_request": 1, "effective_date": "2026-12-01" });
    assert_eq!(server.put(path, &later).await.data()["cost_per_request"], 1);
    assert_eq!(server.put(path, &row).await.data(), row);
    // Nor is what costs nothing refused, where that is said.
    let free = json!({ "cost_per_request": 0 });
    let free = server.put("/api/subscription/pricing/gemini/gratis", &free).await.data();
    assert_eq!(server.put("/api/subscription/pricing/gemini/gratis", &free).await.data(), free);
    let usage = json!({ "input_tokens": 1_000 });
    let ask = json!({ "provider": "gemini", "model": "gratis", "usage": usage });
    assert_eq!(server.post("/v1/quote", &ask).await.expect(200)["cost"], "0");
    // Providers without models.
    let search = json!({ "cost_per_search": 0.25 });
    let row = server.put("/api/subscription/pricing/finder/-", &search).await.data();
    assert_eq!((&row["model_name"], &row["provider"]), (&json!(""), &json!("finder")));
    assert_eq!(server.put("/api/subscription/pricing/finder/-", &row).await.data(), row);
}
