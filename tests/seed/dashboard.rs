use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{assert_members, calls, data, record, used};
use crate::support::{Home, Server};

/// A third of a 30-day month has passed.
const THIRD: &str = "2026-06-11T00:00:00Z";

/// That a projection is as expected: a little less for each second since the service started.
#[track_caller]
fn assert_within(projected: &Value, expected: RangeInclusive<f64>) {
    let found = projected.to_string().parse().unwrap();
    assert!(expected.contains(&found), "{projected} is not within {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_response_example() {
    let home = Home::new();
    let server = Server::start_at(&home, THIRD).await;
    server.subscribe("user123", "pro").await;
    for (provider, count, cost) in [("gemini", 800, "10.50"), ("openai", 450, "5.25")] {
        let mut event = calls("user123", provider, count);
        event["cost"] = json!(cost);
        record(&server, &event).await;
    }
    let dashboard = data(&server, "dashboard/user123").await;
    assert_members(
        &dashboard,
        "summary current_usage total_usage current_period_usage trends limits projections alerts \
         recommendations",
    );
    assert_eq!(
        dashboard["summary"].to_string(),
        "{\"total_api_calls_this_month\":1250,\"total_cost_this_month\":15.75,\
         \"usage_status\":\"active\",\"unread_alerts\":0}"
    );
    let usage = &dashboard["current_usage"];
    assert_eq!(
        (&usage["billing_period"], &usage["total_calls"]),
        (&json!("2026-06"), &json!(1250))
    );
    assert_eq!(usage["total_cost"].to_string(), "15.75");
    assert_eq!(usage["provider_breakdown"]["gemini"]["cost"].to_string(), "10.5");
    let limits = &dashboard["limits"];
    assert_eq!(limits["plan_name"], "Pro");
    assert_eq!(
        (&limits["limits"]["gemini_calls"], &limits["limits"]["monthly_cost"]),
        (&json!(5000), &json!(150))
    );
    let projections = &dashboard["projections"];
    assert_within(&projections["projected_monthly_cost"], 47.2..=47.25);
    assert_eq!(projections["projected_usage_percentage"].to_string(), "31.5");
    assert_eq!(projections["cost_limit"].to_string(), "150");
    assert_eq!(projections["method"], "run_rate");
    assert_eq!(projections["days_until_limit"], Value::Null);
    let mut same = [usage.clone(), dashboard["current_period_usage"].clone()];
    same.iter_mut().for_each(|usage| usage["last_updated"] = Value::Null);
    assert_eq!(same[0], same[1]);
    assert_eq!(dashboard["total_usage"]["billing_period"], "all");
    let periods = dashboard["trends"]["periods"].as_array().unwrap();
    assert_eq!((periods.len(), &periods[5]), (6, &json!("2026-06")));
}

#[tokio::test(flavor = "multi_thread")]
async fn total_usage_is_all_time_or_the_period_asked_for() {
    let home = Home::new();
    let server = Server::start_at(&home, THIRD).await;
    for (tokens, at) in [(1, "2026-04-01T00:00:00Z"), (2, "2026-05-31T00:00:00Z"), (4, THIRD)] {
        record(&server, &used("ann", tokens, "1", at)).await;
    }
    for (query, period, tokens) in [("", "all", 7), ("?billing_period=2026-05", "2026-05", 2)] {
        let dashboard = data(&server, &format!("dashboard/ann{query}")).await;
        let total = &dashboard["total_usage"];
        assert_eq!(
            (&total["billing_period"], &total["total_tokens"]),
            (&json!(period), &json!(tokens))
        );
        assert_eq!(dashboard["current_usage"]["total_tokens"], 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasting_says_which_limit_is_met_first_and_when() {
    let home = Home::new();
    let server = Server::start_at(&home, THIRD).await;
    record(&server, &calls("ann", "gemini", 50)).await;
    record(&server, &used("ann", 40_000, "0", "2026-06-05T00:00:00Z")).await;
    let dashboard = data(&server, "dashboard/ann").await;
    let projections = &dashboard["projections"];
    let limits = projections["limits"].as_array().unwrap();
    let of = |name: &str| limits.iter().find(|limit| limit["quota"] == name).unwrap();
    let calls = of("gemini_calls");
    assert_members(
        calls,
        "quota used limit projected projected_percentage method range days_left reached_at",
    );
    // 51 in ten days.
    assert_within(&calls["projected"], 152.8..=153.0);
    assert_within(&calls["projected_percentage"], 152.8..=153.0);
    assert_eq!(calls["days_left"].to_string(), "9.6");
    // 40,000 of 100,000.
    assert_within(&of("gemini_tokens")["projected"], 119_800.0..=120_000.0);
    assert_eq!(of("gemini_tokens")["days_left"].to_string(), "15");
    assert_eq!(projections["first_limit"], "gemini_calls");
    assert_eq!(projections["days_until_limit"], calls["days_left"]);
    let range = |limit: &Value, end: &str| limit["range"][end].to_string().parse::<f64>().unwrap();
    assert!(range(calls, "low") <= 153.0 && range(calls, "high") >= 153.0);
    assert_eq!(projections["cost_limit"].to_string(), "0", "unlimited");
    assert_eq!(projections["projected_usage_percentage"].to_string(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_of_history_tell_weekdays_apart() {
    let home = Home::new();
    // A Monday.
    let server = Server::start_at(&home, "2026-06-22T00:00:00Z").await;
    server.subscribe("ann", "enterprise").await;
    let monday = Day { month: 4, day: 27 };
    let mut events = Vec::new();
    for day in 0..56 {
        if day % 7 < 5 {
            events.push(used("ann", 1, "10", &format!("{}T12:00:00Z", monday + day)));
        }
    }
    let told = server.post("/v1/usage", &json!(events)).await.expect(200);
    assert_eq!(told["accepted"], 40);
    let dashboard = data(&server, "dashboard/ann").await;
    let projections = &dashboard["projections"];
    assert_eq!(projections["method"], "weekday_pattern");
    // 15 weekdays of June are over, and 7 are to come.
    assert_within(&projections["projected_monthly_cost"], 219.7..=220.0);
    // No weekday ever differed.
    assert_within(&projections["range"]["high"], 219.7..=220.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_recommendations_come_from_the_alert_policy() {
    let home = Home::new();
    let server = Server::start_at(&home, THIRD).await;
    record(&server, &calls("ann", "gemini", 79)).await;
    assert_eq!(data(&server, "dashboard/ann").await["recommendations"], json!([]));
    record(&server, &calls("ann", "gemini", 1)).await;
    let dashboard = data(&server, "dashboard/ann").await;
    let recommendation = &dashboard["recommendations"][0];
    assert_members(recommendation, "type title message plan");
    assert_eq!(recommendation["type"], "upgrade_plan");
    assert_eq!(dashboard["summary"]["usage_status"], "warning");
    assert_eq!(dashboard["summary"]["unread_alerts"], 1);
}

/// A day of 2026, from April to June.
#[derive(Clone, Copy)]
struct Day {
    month: u32,
    day: u32,
}

impl std::ops::Add<u32> for Day {
    type Output = Self;

    fn add(self, days: u32) -> Self {
        let Self { mut month, mut day } = self;
        day += days;
        for (full, length) in [(4, 30), (5, 31)] {
            if month == full && day > length {
                (month, day) = (month + 1, day - length);
            }
        }
        Self { month, day }
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "2026-{:02}-{:02}", self.month, self.day)
    }
}
