use super::{call, use_calls, with};
use crate::support::shared;

/// From the start of the tests' clock to the next month.
const RESET_SECONDS: u64 = 21 * 86_400 + 12 * 3_600;

/// How far the clock may have gone on since.
const SLACK_SECONDS: u64 = 600;

fn about_reset(seconds: &str) -> bool {
    let seconds: u64 = seconds.parse().unwrap();
    (RESET_SECONDS - SLACK_SECONDS..=RESET_SECONDS).contains(&seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_says_how_many_calls_are_left_and_until_when() {
    let server = shared().await;
    server.subscribe("rate-pro", "pro").await;
    let answer = server.post("/v1/reservations", &call("rate-pro")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("ratelimit-policy"), "\"gemini_calls\";q=5000;w=2678400");
    let (left, reset) = answer.header("ratelimit").split_once(";t=").unwrap();
    assert_eq!(left, "\"gemini_calls\";r=4999");
    assert!(about_reset(reset), "{reset}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_when_to_come_back() {
    let server = shared().await;
    use_calls(&server, "rate-full", 100).await;
    let answer = server.post("/v1/reservations", &call("rate-full")).await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert!(answer.header("ratelimit").starts_with("\"gemini_calls\";r=0;t="));
    assert!(about_reset(answer.header("retry-after")), "{:?}", answer.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_calls_are_not_limited_there_is_nothing_to_say() {
    let server = shared().await;
    server.subscribe("rate-enterprise", "enterprise").await;
    let call = with(with(call("rate-enterprise"), "provider", "openai"), "model", "gpt-4o");
    let answer = server.post("/v1/reservations", &call).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(!answer.headers.contains_key("ratelimit"));
    assert!(!answer.headers.contains_key("ratelimit-policy"));
}
