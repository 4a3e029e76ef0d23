//! The header fields of the IETF draft on rate limits, and `Retry-After`. Their numbers are
//! whole requests, so they speak of quotas on calls only.

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use tollgate_domain::{Amount, Decision, LevelState, QuotaState, Timestamp, Window};

/// The most that a structured field's integer may be (RFC 9651, 3.3.1).
const WHOLE_MAX: i128 = 999_999_999_999_999;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// `RateLimit-Policy` and `RateLimit`, where there is something to say.
pub fn headers(decision: &Decision) -> Option<[(HeaderName, HeaderValue); 2]> {
    let (mut policies, mut limits) = (String::new(), String::new());
    let at = decision.snapshot.at;
    for (level, quota, remaining) in tightest(decision) {
        let whole = (quota.limit.and_then(whole), whole(remaining));
        let (Some(limit), Some(remaining)) = whole else { continue };
        let separator = if policies.is_empty() { "" } else { ", " };
        // Writing to a `String` cannot fail.
        let _ = write!(policies, "{separator}\"{}\";q={limit}", quota.name);
        let _ = write!(limits, "{separator}\"{}\";r={remaining}", quota.name);
        let span = quota.window.span(at, &level.calendar);
        if let (Some(end), Some(reset)) = (span.end, quota.resets_at) {
            let _ = write!(policies, ";w={}", seconds(end.since(span.start)));
            let _ = write!(limits, ";t={}", seconds(reset.since(at)));
        }
    }
    if policies.is_empty() {
        return None;
    }
    // Names of quotas are valid in a header.
    let [policies, limits] = [policies, limits].map(|text| HeaderValue::try_from(text).ok());
    Some([(POLICY, policies?), (LIMIT, limits?)])
}

/// `Retry-After`, where a reset will help: not before the last of the violated quotas has reset,
/// and of those over sliding windows, not before enough has left for the call to fit.
pub fn retry_after(decision: &Decision) -> Option<[(HeaderName, HeaderValue); 1]> {
    let at = decision.snapshot.at;
    let fits_at = decision.denial.as_ref().and_then(|denial| denial.fits_at);
    let resets: Option<Vec<Timestamp>> = decision
        .violated()
        .map(|quota| {
            let reset = helpful_reset(quota)?;
            let slides = matches!(quota.window, Window::Sliding(_));
            Some(fits_at.filter(|_| slides).unwrap_or(reset))
        })
        .collect();
    let latest = resets.and_then(|resets| resets.into_iter().max());
    let wait = latest.map(|latest| HeaderValue::from(seconds(latest.since(at))));
    wait.map(|wait| [(header::RETRY_AFTER, wait)])
}

/// When a quota resets, if the call fits then.
fn helpful_reset(quota: &QuotaState) -> Option<Timestamp> {
    let bound = quota.limit?.plus_percent(quota.grace_percent);
    let fits = match quota.requested {
        Some(requested) => requested <= bound,
        None => bound > Amount::ZERO,
    };
    quota.resets_at.filter(|_| fits)
}

/// The limited quotas on calls, by their names, each with what remains of it. Where levels have
/// quotas of one name, the tightest speaks for all: a name stands for one policy in these fields.
fn tightest(decision: &Decision) -> Vec<(&LevelState, &QuotaState, Amount)> {
    let mut found: Vec<(&LevelState, &QuotaState, Amount)> = Vec::new();
    for level in &decision.snapshot.levels {
        for quota in level.quotas.iter().filter(|quota| quota.meter.as_str() == "calls") {
            let Some(remaining) = quota.remaining() else { continue };
            match found.iter_mut().find(|(_, other, _)| other.name == quota.name) {
                Some(tightest) if remaining < tightest.2 => *tightest = (level, quota, remaining),
                Some(_) => {}
                None => found.push((level, quota, remaining)),
            }
        }
    }
    found.sort_by_key(|(_, quota, _)| &quota.name);
    found
}

/// The whole part, if a structured field can hold it.
fn whole(amount: Amount) -> Option<i128> {
    Some(amount.whole()).filter(|whole| *whole <= WHOLE_MAX)
}

/// Rounded up: who comes back a moment early is refused again.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use tollgate_domain::{Calendar, Mode, Snapshot, Status};

    use super::*;

    fn quota(name: &str, limit: u64, used: u64) -> QuotaState {
        QuotaState {
            name: name.parse().unwrap(),
            meter: if name.ends_with("calls") { "calls" } else { "tokens" }.parse().unwrap(),
            mode: Mode::Hard,
            window: Window::Month,
            limit: Some(limit.into()),
            grace_percent: 0,
            used: used.into(),
            reserved: Amount::ZERO,
            requested: Some(1.into()),
            unpriced: false,
            resets_at: "2025-02-01T00:00:00Z".parse().ok(),
        }
    }

    fn level(quotas: Vec<QuotaState>) -> LevelState {
        LevelState {
            subject: "ann".parse().unwrap(),
            calendar: Calendar::default(),
            plan: None,
            terms: None,
            status: Status::Active,
            quotas,
        }
    }

    fn decision(levels: Vec<LevelState>) -> Decision {
        let at = "2025-01-30T23:59:59.5Z".parse().unwrap();
        tollgate_domain::decide(Snapshot { at, levels }, Default::default())
    }

    fn printed<const N: usize>(headers: &Option<[(HeaderName, HeaderValue); N]>) -> Vec<&str> {
        headers.iter().flatten().map(|(_, value)| value.to_str().unwrap()).collect()
    }

    #[test]
    fn quotas_on_calls_are_told_with_their_window_and_reset() {
        let levels =
            vec![level(vec![quota("gemini_calls", 5000, 800), quota("gemini_tokens", 9, 1)])];
        assert_eq!(
            printed(&headers(&decision(levels))),
            ["\"gemini_calls\";q=5000;w=2678400", "\"gemini_calls\";r=4200;t=86401"]
        );
        assert_eq!(headers(&decision(vec![level(vec![quota("gemini_tokens", 9, 1)])])), None);
    }

    #[test]
    fn a_sliding_window_is_told_with_its_length_and_when_the_oldest_leaves() {
        let sliding = |used| QuotaState {
            window: "sliding:60".parse().unwrap(),
            resets_at: "2025-01-31T00:00:10Z".parse().ok(),
            ..quota("burst_calls", 5, used)
        };
        let granted = decision(vec![level(vec![sliding(4)])]);
        assert_eq!(
            printed(&headers(&granted)),
            ["\"burst_calls\";q=5;w=60", "\"burst_calls\";r=1;t=11"]
        );
        let mut refused = decision(vec![level(vec![sliding(6)])]);
        assert_eq!(printed(&retry_after(&refused)), ["11"]);
        refused.denial.as_mut().unwrap().fits_at = "2025-01-31T00:00:20Z".parse().ok();
        assert_eq!(printed(&retry_after(&refused)), ["21"], "the oldest are not enough");
    }

    #[test]
    fn of_several_levels_the_tightest_speaks() {
        let levels = vec![
            level(vec![quota("gemini_calls", 5000, 800)]),
            level(vec![quota("gemini_calls", 100, 90)]),
        ];
        let headers = headers(&decision(levels));
        assert_eq!(printed(&headers)[1], "\"gemini_calls\";r=10;t=86401");
    }

    #[test]
    fn retry_after_waits_for_the_last_reset_and_is_left_out_where_none_helps() {
        let hour = || QuotaState {
            resets_at: "2025-01-31T00:00:00Z".parse().ok(),
            ..quota("burst_calls", 1, 1)
        };
        let after = |quotas| retry_after(&decision(vec![level(quotas)]));
        assert_eq!(printed(&after(vec![hour()])), ["1"]);
        assert_eq!(printed(&after(vec![hour(), quota("gemini_calls", 5, 5)])), ["86401"]);
        let never = QuotaState { resets_at: None, ..quota("trial_calls", 5, 5) };
        assert_eq!(after(vec![hour(), never]), None);
        assert_eq!(after(vec![quota("no_calls", 0, 0)]), None);
    }
}
