use super::{call, check, gemini_calls, reserve, statistics, use_calls};
use crate::support::shared;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_counts_on_every_level_of_its_path() {
    let server = shared().await;
    server.subscribe("acme", "basic").await;
    server.subscribe("acme%2Fml%2Fann", "free").await;
    server.post("/v1/usage", &call("acme/ml/ann")).await.expect(201);
    server.post("/v1/usage", &call("acme/ml/bob")).await.expect(201);
    let hold = reserve(&server, &call("acme/ml/ann")).await;
    assert_eq!(gemini_calls(&server, "acme/ml/ann", "acme").await, ("2".into(), "1".into()));
    assert_eq!(gemini_calls(&server, "acme/ml/ann", "acme/ml/ann").await, ("1".into(), "1".into()));
    server.delete(&hold).await.expect(204);

    for (level, calls) in [("acme", 2), ("acme%2Fml", 2), ("acme%2Fml%2Fann", 1)] {
        assert_eq!(statistics(&server, level).await["total_calls"], calls, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_one_level_refuses_takes_nothing_on_any() {
    let server = shared().await;
    server.subscribe("globex", "free").await;
    server.subscribe("globex%2Fann", "basic").await;
    use_calls(&server, "globex/bob", 99).await;
    let hold = reserve(&server, &call("globex/ann")).await;
    let problem = server.post("/v1/reservations", &call("globex/ann")).await.problem(429);
    assert_eq!(problem["denied"]["subject"], "globex");
    assert_eq!(problem["denied"]["plan"], "free");
    assert_eq!(gemini_calls(&server, "globex/ann", "globex/ann").await, ("0".into(), "1".into()));
    assert_eq!(gemini_calls(&server, "globex/ann", "globex").await, ("99".into(), "1".into()));
    server.delete(&hold).await.expect(204);
    assert_eq!(gemini_calls(&server, "globex/ann", "globex").await, ("99".into(), "0".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_plan_is_the_widest_levels_and_only_where_none_has_one() {
    let server = shared().await;
    let levels = async |subject: &str| -> Vec<(String, String)> {
        let answer = check(&server, &call(subject)).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let quotas = answer["quotas"].as_array().unwrap().iter();
        let mut levels: Vec<_> =
            quotas.map(|quota| (text(&quota["subject"]), text(&quota["plan"]))).collect();
        levels.dedup();
        levels
    };
    assert_eq!(levels("initech/ann").await, [("initech".into(), "free".into())]);
    server.subscribe("initech%2Fann", "pro").await;
    assert_eq!(levels("initech/ann").await, [("initech/ann".into(), "pro".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_several_segments_is_one_encoded_segment() {
    let server = shared().await;
    let user = server.get("/api/subscription/user/umbrella%2Fr%26d%2F%C3%A4nn/subscription").await;
    assert_eq!(user.data()["user_id"], "umbrella/r&d/änn");
    server.get("/api/subscription/user/a%2F%2Fb/subscription").await.expect(400);
}
