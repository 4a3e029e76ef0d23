//! A client written from the seed's page and nothing else: every request and every field that the
//! page shows, in its order.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Client, Home, Server};

/// The month of the page's example, a third of it over.
const NOW: &str = "2025-01-11T08:00:00Z";

/// As the page's `curl` asks.
async fn curl(client: &Client, path: &str) -> Value {
    let request = client.request(reqwest::Method::GET, path);
    let answer = Answer::to(request.header("content-type", "application/json")).await.unwrap();
    answer.expect(200)
}

/// The page's `track_api_usage`, with the arguments that it gives.
async fn track_api_usage(client: &Client, user: &str, provider: &str, cost: &Value) -> Value {
    let arguments = json!({
        "user_id": user, "provider": provider, "endpoint": "/api/generate", "method": "POST",
        "tokens_input": 1000, "tokens_output": 500, "cost": cost, "response_time": 2.5,
    });
    client.post("/api/subscription/track", &arguments).await.expect(200)
}

/// The page's `enforce_usage_limits`: whether the call may be made, and what is said of it.
async fn enforce_usage_limits(client: &Client, user: &str, provider: &str) -> (u16, Value) {
    let arguments = json!({ "user_id": user, "provider": provider, "tokens_requested": 1000 });
    let answer = client.post("/api/subscription/enforce", &arguments).await;
    (answer.status.as_u16(), answer.json())
}

/// So many calls that cost so much each, and one more that costs the rest.
async fn track_many(client: &Client, provider: &'static str, calls: u32, each: &str, last: &str) {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut tracked = JoinSet::new();
    for worker in 0..8 {
        let (client, each) = (client.clone(), number(each));
        tracked.spawn(async move {
            for _ in (worker..calls - 1).step_by(8) {
                track_api_usage(&client, "user123", provider, &each).await;
            }
        });
    }
    tracked.join_all().await;
    track_api_usage(client, "user123", provider, &number(last)).await;
}

/// That an answer has all that the page shows of it, digit by digit.
#[track_caller]
fn assert_shows(answer: &Value, page: &Value, path: &str) {
    match page {
        Value::Object(members) => {
            for (name, value) in members {
                assert_shows(&answer[name], value, &format!("{path}/{name}"));
            }
        }
        other => assert_eq!(answer.to_string(), other.to_string(), "{path}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_written_only_from_the_seeds_page_works() {
    let server = Server::start_at(&Home::new(), NOW).await;
    configuration(&server).await;
    prices(&server).await;
    let choice = json!({ "plan": "pro" });
    let path = "/api/subscription/user/user123/subscription";
    server.put(path, &choice).await.expect(200);
    endpoints(&server).await;
    middleware(&server).await;
    dashboard(&server).await;
    alerts(&server).await;
    exceptions(&server).await;
}

/// "Default Subscription Plans".
async fn configuration(server: &Server) {
    let answer = curl(server, "/api/subscription/plans").await;
    assert_eq!(answer["success"], true);
    let plans = &answer["data"]["plans"];
    for (at, page) in [
        json!({ "name": "Free", "price_monthly": 0,
            "limits": { "gemini_calls": 100, "gemini_tokens": 100_000 } }),
        json!({ "name": "Basic", "price_monthly": 29, "limits": {
            "gemini_calls": 1_000, "openai_calls": 500, "gemini_tokens": 1_000_000,
            "openai_tokens": 500_000, "monthly_cost": 50,
        } }),
        json!({ "name": "Pro", "price_monthly": 79, "limits": {
            "gemini_calls": 5_000, "openai_calls": 2_500, "gemini_tokens": 5_000_000,
            "openai_tokens": 2_500_000, "monthly_cost": 150,
        } }),
        json!({ "name": "Enterprise", "price_monthly": 199, "limits": {
            "gemini_calls": 0, "openai_calls": 0, "gemini_tokens": 0, "monthly_cost": 500,
        } }),
    ]
    .iter()
    .enumerate()
    {
        assert_shows(&plans[at], page, &format!("/plans/{at}"));
    }
    let features = plans[3]["features"].to_string();
    assert!(features.contains("white_label") && features.contains("dedicated_support"));
    assert!(plans[0]["features"].to_string().contains("basic_content_generation"));
}

/// "API Pricing".
async fn prices(server: &Server) {
    let answer = curl(server, "/api/subscription/pricing").await;
    let rows = answer["data"]["pricing"].as_array().unwrap();
    for (provider, model, page) in [
        ("gemini", "gemini-2.0-flash-lite", ["0.000000075", "0.0000003", "0"]),
        ("gemini", "gemini-2.5-flash", ["0.000000125", "0.000000375", "0"]),
        ("gemini", "gemini-2.5-pro", ["0.00000125", "0.00001", "0"]),
        ("tavily", "", ["0", "0", "0.001"]),
        ("serper", "", ["0", "0", "0.001"]),
        ("metaphor", "", ["0", "0", "0.003"]),
    ] {
        let is_meant = |row: &&Value| {
            row["provider"] == provider && row["model_name"].as_str().unwrap_or_default() == model
        };
        let row = rows.iter().find(is_meant).unwrap_or_else(|| panic!("{provider}/{model}"));
        let cost = ["cost_per_input_token", "cost_per_output_token", "cost_per_search"]
            .map(|name| row[name].to_string());
        assert_eq!(cost, page, "{provider}/{model}");
    }
}

/// "API Endpoints".
async fn endpoints(server: &Server) {
    let user = "user123";
    for path in [
        "plans".to_owned(),
        format!("user/{user}/subscription"),
        "pricing".to_owned(),
        format!("usage/{user}"),
        format!("usage/{user}/trends"),
        format!("dashboard/{user}"),
        format!("alerts/{user}"),
    ] {
        let answer = curl(server, &format!("/api/subscription/{path}")).await;
        assert_eq!(answer["success"], true, "{path}");
        assert!(answer["data"].is_object(), "{path}");
    }
}

/// "Usage Monitoring": the two calls of the middleware.
async fn middleware(server: &Server) {
    let tracked = track_api_usage(server, "newcomer", "gemini", &json!(0.00125)).await;
    assert_eq!(tracked["success"], true);
    let usage = curl(server, "/api/subscription/usage/newcomer").await;
    assert_eq!(usage["data"]["total_cost"].to_string(), "0.00125");
    let (status, answer) = enforce_usage_limits(server, "newcomer", "gemini").await;
    assert_eq!((status, &answer["data"]["can_proceed"]), (200, &json!(true)));
    assert!(answer["data"]["usage_info"].is_object());
}

/// "Dashboard Integration", and the response of "API Examples".
async fn dashboard(server: &Server) {
    track_many(server, "gemini", 800, "0.013125", "0.013125").await;
    track_many(server, "openai", 450, "0.0116", "0.0416").await;
    let answer = curl(server, "/api/subscription/dashboard/user123").await;
    let page = json!({
        "success": true,
        "data": {
            "current_usage": {
                "billing_period": "2025-01",
                "total_calls": 1250,
                "total_cost": 15.75,
                "usage_status": "active",
                "provider_breakdown": {
                    "gemini": { "calls": 800, "cost": 10.5 },
                    "openai": { "calls": 450, "cost": 5.25 },
                },
            },
            "limits": {
                "plan_name": "Pro",
                "limits": { "gemini_calls": 5000, "monthly_cost": 150 },
            },
            "projections": { "projected_usage_percentage": 31.5 },
            "summary": {
                "total_api_calls_this_month": 1250,
                "total_cost_this_month": 15.75,
                "usage_status": "active",
                "unread_alerts": 0,
            },
        },
    });
    assert_shows(&answer, &page, "");
    // A little less for each second since the month's third began.
    let projected = answer["data"]["projections"]["projected_monthly_cost"].to_string();
    assert!((47.2..=47.25).contains(&projected.parse::<f64>().unwrap()), "{projected}");

    let usage = curl(server, "/api/subscription/usage/user123").await;
    let mut same = [usage["data"].clone(), answer["data"]["current_usage"].clone()];
    same.iter_mut().for_each(|usage| usage["last_updated"] = Value::Null);
    assert_eq!(same[0], same[1]);

    // "Get current usage percentages", of somebody with the page's share of the same plan.
    let share = "/api/subscription/user/shares/subscription";
    server.put(share, &json!({ "plan": "pro" })).await.expect(200);
    for (provider, calls, cost) in [("gemini", 3275, "47.25"), ("openai", 595, "0")] {
        let mut used = super::calls("shares", provider, calls);
        used["cost"] = json!(cost);
        super::record(server, &used).await;
    }
    let answer = curl(server, "/api/subscription/dashboard/shares").await;
    let page = json!({ "gemini_calls": 65.5, "openai_calls": 23.8, "cost": 31.5 });
    assert_shows(&answer["data"]["current_usage"]["usage_percentages"], &page, "");
}

/// "Alerts & Notifications".
async fn alerts(server: &Server) {
    super::record(server, &super::calls("warned", "gemini", 90)).await;
    let unread = async || {
        let answer = curl(server, "/api/subscription/dashboard/warned").await;
        answer["data"]["summary"]["unread_alerts"].clone()
    };
    assert_eq!(unread().await, 2);
    let listed = curl(server, "/api/subscription/alerts/warned").await;
    let id = &listed["data"]["alerts"][0]["id"];
    let path = format!("/api/subscription/alerts/{id}/mark-read");
    let read = server.post(&path, &json!({})).await.expect(200);
    assert_eq!(read["success"], true);
    assert_eq!(unread().await, 1);
}

/// "Error Handling": `handle_usage_limit_error` has its arguments from the answer.
async fn exceptions(server: &Server) {
    let path = "/api/subscription/user/full/subscription";
    server.put(path, &json!({ "plan": "basic" })).await.expect(200);
    super::record(server, &super::calls("full", "gemini", 1000)).await;
    let (status, refused) = enforce_usage_limits(server, "full", "gemini").await;
    assert_eq!(status, 429);
    let page = json!({
        "success": false,
        "error": "UsageLimitExceededException",
        "user_id": "full",
        "details": {
            "provider": "gemini", "limit_type": "api_calls", "current_usage": 1000,
            "limit_value": 1000,
        },
    });
    assert_shows(&refused, &page, "");
    assert!(refused["message"].is_string());
}
