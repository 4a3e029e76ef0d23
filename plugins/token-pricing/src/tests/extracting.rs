//! What is found in providers' answers.

use serde_json::{Value, json};
use tollgate_plugin::PricingPolicy;

use super::{listed, policy, shipped};

#[track_caller]
fn check(provider: &str, flavor: &str, answer: Value, model: &str, usage: &str) {
    let found = shipped().extract(provider, flavor, &answer.to_string());
    let found = found.expect("a usage").expect("a known flavor");
    assert_eq!(listed(&found.usage), usage);
    assert_eq!(found.model.as_deref().unwrap_or_default(), model);
}

#[test]
fn gemini_counts_thoughts_and_tools_beside_the_rest() {
    let answer = json!({"modelVersion": "gemini-2.5-flash", "usageMetadata": {
        "promptTokenCount": 100, "toolUsePromptTokenCount": 20, "cachedContentTokenCount": 30,
        "candidatesTokenCount": 40, "thoughtsTokenCount": 50, "totalTokenCount": 210}});
    let usage =
        "cache_read_tokens 30, input_tokens 120, output_reasoning_tokens 50, output_tokens 90";
    check("gemini", "default", answer, "gemini-2.5-flash", usage);
}

#[test]
fn openai_chat_and_responses_count_parts_within_their_totals() {
    let chat = json!({"model": "gpt-5", "usage": {
        "prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 20}}});
    let usage =
        "cache_read_tokens 60, input_tokens 100, output_reasoning_tokens 20, output_tokens 50";
    check("openai", "chat", chat, "gpt-5", usage);

    let responses = json!({"model": "gpt-5", "usage": {
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 20}}});
    check("openai", "responses", responses.clone(), "gpt-5", usage);
    let stream = json!([
        {"type": "response.created", "response": {"model": "gpt-5", "usage": null}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": responses},
    ]);
    check("openai", "responses", stream, "gpt-5", usage);
}

#[test]
fn anthropics_cached_tokens_join_the_input() {
    let answer = json!({"model": "claude-opus-5", "usage": {
        "input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30,
        "output_tokens": 5, "server_tool_use": {"web_search_requests": 2}}});
    let usage = "cache_read_tokens 200, cache_write_tokens 30, input_tokens 240, output_tokens 5, searches 2";
    check("anthropic", "default", answer, "claude-opus-5", usage);
}

#[test]
fn the_last_number_of_a_stream_counts() {
    let anthropic = json!([
        {"type": "message_start", "message": {"model": "claude-opus-5", "usage": {
            "input_tokens": 10, "cache_read_input_tokens": 200, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
    ]);
    let usage = "cache_read_tokens 200, input_tokens 210, output_tokens 15";
    check("anthropic", "default", anthropic, "claude-opus-5", usage);

    let openai = json!([
        {"model": "gpt-5", "choices": [{}], "usage": null},
        {"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        "[DONE]",
    ]);
    check("openai", "chat", openai, "gpt-5", "input_tokens 3, output_tokens 4");
}

#[test]
fn reported_zeros_are_usage() {
    let answer = json!({"usage": {"prompt_tokens": 0, "completion_tokens": 0}});
    check("mistral", "default", answer, "", "input_tokens 0, output_tokens 0");
}

#[test]
fn an_answer_without_usage_is_a_failure() {
    for answer in [r#"{"usage":null}"#, r#"{"usage":{}}"#, "[]", "{}", r#""hello""#, "5", "{"] {
        let failure = shipped().extract("openai", "chat", answer).expect_err("no usage");
        assert_eq!(failure.code, "no_usage", "{answer}");
    }
}

#[test]
fn a_usage_that_is_no_whole_number_is_a_failure() {
    for amount in ["-1", "1.5", "\"12\"", "1e99", "[]"] {
        let answer = format!(r#"{{"usage":{{"prompt_tokens":{amount}}}}}"#);
        let failure = shipped().extract("openai", "chat", &answer).expect_err("no whole number");
        assert_eq!(failure.code, "invalid_usage", "{amount}");
        assert!(failure.message.contains("/usage/prompt_tokens"), "{}", failure.message);
    }
}

#[test]
fn an_unknown_provider_or_flavor_is_left_to_others() {
    assert_eq!(shipped().extract("nobody", "default", "{}"), Ok(None));
    assert_eq!(shipped().extract("openai", "telepathy", "{}"), Ok(None));
}

#[test]
fn paths_may_lead_through_lists() {
    let extractor =
        json!({"provider": "x", "flavors": ["default"], "usage": {"pages": ["/data/1/pages"]}});
    let policy = policy(json!({ "extractors": [extractor] }));
    let found = policy.extract("x", "default", r#"{"data":[{"pages":1},{"pages":2}]}"#);
    assert_eq!(listed(&found.expect("a usage").expect("a known flavor").usage), "pages 2");
}
