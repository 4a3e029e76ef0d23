//! Where each sentence of the seed's page is tested: "Features", "Monitoring & Analytics",
//! "Customization" and "Error Handling", as the page has them. `page` is a client written from the
//! whole of it.

use std::path::Path;

/// The sentence, the file of its test beneath the repository's folder, and the test.
const SENTENCES: &[(&str, &str, &str)] = &[
    // Features: core functionality.
    (
        "Usage-Based Billing: Track API calls, tokens, and costs across all providers",
        "tests/seed/features.rs",
        "usage_based_billing_tracks_api_calls_tokens_and_costs_across_all_providers",
    ),
    (
        "Subscription Tiers: Free, Basic, Pro, and Enterprise plans with different limits",
        "tests/seed/features.rs",
        "subscription_tiers_free_basic_pro_and_enterprise_have_different_limits",
    ),
    (
        "Real-Time Monitoring: Live usage tracking and limit enforcement",
        "tests/seed/features.rs",
        "real_time_monitoring_shows_live_usage_and_limits_are_enforced",
    ),
    (
        "Cost Calculation: Accurate pricing for Gemini, OpenAI, Anthropic, and other APIs",
        "tests/seed/features.rs",
        "cost_calculation_is_accurate_for_gemini_openai_anthropic_and_other_apis",
    ),
    (
        "Usage Alerts: Automatic notifications at 80%, 90%, and 100% usage thresholds",
        "tests/seed/alerts.rs",
        "automatic_threshold_alerts_at_80_90_and_100_percent",
    ),
    (
        "Robust Error Handling: Exception management",
        "tests/seed/features.rs",
        "robust_error_handling_answers_every_mistake_and_loses_nothing",
    ),
    (
        "Robust Error Handling: Comprehensive logging",
        "tests/error_log.rs",
        "a_request_that_failed_is_told_by_its_name_its_id_and_where_it_is_wrong",
    ),
    // Features: supported API providers. Each is tracked, priced and billed.
    (
        "Gemini API, OpenAI, Anthropic, Mistral AI, Tavily, Serper, Metaphor/Exa, Firecrawl, \
         Stability AI",
        "tests/seed/features.rs",
        "usage_based_billing_tracks_api_calls_tokens_and_costs_across_all_providers",
    ),
    // Monitoring & analytics: usage trends.
    (
        "Historical usage data over time",
        "tests/seed/trends.rs",
        "months_are_listed_oldest_first_and_those_without_use_too",
    ),
    (
        "Provider-specific breakdowns",
        "tests/seed/statistics.rs",
        "performance_metrics_and_breakdown_are_exact",
    ),
    (
        "Cost projections and forecasting",
        "tests/seed/dashboard.rs",
        "forecasting_says_which_limit_is_met_first_and_when",
    ),
    (
        "Performance metrics (response times, error rates)",
        "tests/seed/statistics.rs",
        "performance_metrics_and_breakdown_are_exact",
    ),
    // Monitoring & analytics: alerts & notifications.
    (
        "Automatic threshold alerts (80%, 90%, 100%)",
        "tests/seed/alerts.rs",
        "automatic_threshold_alerts_at_80_90_and_100_percent",
    ),
    (
        "Email notifications (configurable)",
        "tests/notifications/emails.rs",
        "an_alert_is_told_by_e_mail_as_text_and_html",
    ),
    (
        "Dashboard notifications",
        "tests/seed/alerts.rs",
        "dashboard_notifications_are_shown_until_they_are_read",
    ),
    (
        "Usage recommendations: a cheaper model",
        "tests/seed/recommendations.rs",
        "a_cheaper_model_for_the_same_use_is_recommended_with_what_it_would_have_saved",
    ),
    (
        "Usage recommendations: a better plan",
        "tests/seed/recommendations.rs",
        "a_plan_that_fits_better_is_recommended",
    ),
    // Customization: adding new API providers.
    (
        "Add provider; Configure pricing; Add usage tracking logic",
        "tests/seed/customization.rs",
        "a_new_api_provider_needs_a_price_and_is_then_tracked_limited_and_billed",
    ),
    (
        "Update detection patterns in middleware",
        "host/clients/python/tests/test_middleware.py",
        "test_patterns_subjects_and_estimates_are_the_apps_own",
    ),
    // Customization: modifying subscription plans.
    (
        "Update plans in database or via API",
        "tests/policies/documents.rs",
        "a_plan_is_created_changed_and_deleted_at_runtime",
    ),
    (
        "Modify limits and pricing; Add/remove features; Update billing integration",
        "tests/seed/customization.rs",
        "a_plans_limits_pricing_and_features_are_modified_and_billing_follows",
    ),
    // Error handling.
    (
        "UsageLimitExceededException: When usage limits are reached",
        "tests/seed/calls.rs",
        "a_reached_limit_is_the_seeds_usage_limit_exception",
    ),
    (
        "PricingException: Pricing calculation errors",
        "tests/seed/calls.rs",
        "what_cannot_be_priced_is_a_pricing_exception",
    ),
    (
        "SubscriptionException: General subscription errors",
        "tests/seed/calls.rs",
        "what_the_plan_does_not_sell_is_a_subscription_exception",
    ),
    (
        "TrackingException: Usage tracking failures",
        "tests/seed/calls.rs",
        "a_call_that_cannot_be_tracked_is_a_tracking_exception_that_names_the_field",
    ),
    (
        "handle_usage_limit_error",
        "host/clients/python/tests/test_seed.py",
        "test_a_limit_error_is_handled_as_the_seed_writes_it",
    ),
];

#[test]
fn each_sentence_of_the_page_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (sentence, file, test) in SENTENCES {
        let path = root.join(file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{sentence}: {file}: {error}"));
        let (python, rust) = (format!("def {test}("), format!("fn {test}()"));
        assert!(text.contains(&python) || text.contains(&rust), "{sentence}: no {test} in {file}");
    }
}
