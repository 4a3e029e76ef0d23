//! How many requests came, how they ended, and how long they took: by route, of which there are
//! finitely many, whatever paths are asked for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;

/// Of this process, which serves once. A request adds to four numbers and waits for nobody.
pub static TRAFFIC: Traffic = Traffic([const { Route::new() }; PATTERNS.len() + 1]);

/// The usual ones first: they are looked through in this order.
const PATTERNS: [&str; 32] = [
    "/v1/check",
    "/v1/usage",
    "/v1/reservations",
    "/v1/reservations/{id}/settle",
    "/v1/reservations/{id}",
    "/v1/quote",
    "/v1/usage/corrections",
    "/v1/refusals",
    "/v1/subjects/{subject}/notifications",
    "/v1/notifications/default",
    "/v1/notifications",
    "/v1/notifications/{id}/retry",
    "/v1/policies",
    "/v1/policies/reload",
    "/v1/policies/revisions",
    "/v1/policies/rollback",
    "/v1/policies/{name}/shadow",
    "/v1/policies/{name}/faults",
    "/v1/export",
    "/v1/backup",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/subscription/plans",
    "/api/subscription/plans/{plan}",
    "/api/subscription/pricing",
    "/api/subscription/pricing/{provider}/{model}",
    "/api/subscription/user/{user_id}/subscription",
    "/api/subscription/usage/{user_id}",
    "/api/subscription/billing-history/{user_id}",
    "/v1/{resource}",
    "/api/subscription/{resource}/{user_id}",
];

const OTHER: &str = "other";

/// From 64 us, each twice as long as the one before, to 4 s.
const BUCKETS: usize = 17;
const FIRST_US_LOG2: u32 = 6;

pub struct Traffic([Route; PATTERNS.len() + 1]);

struct Route {
    /// By the first digit of the status.
    answers: [AtomicU64; 5],
    /// The last one is of what took longer than all others.
    latencies: [AtomicU64; BUCKETS + 1],
    micros: AtomicU64,
}

/// What was counted of a route.
pub struct RouteCounts {
    pub route: &'static str,
    /// By class: `2xx`, …
    pub answers: Vec<(&'static str, u64)>,
    /// How many took less than so long, and no less than the duration before; the last one is of
    /// what took longer.
    pub latencies: Vec<(Option<Duration>, u64)>,
    pub latency: Duration,
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Traffic {
    pub fn note(&self, path: &str, status: StatusCode, latency: Duration) {
        let at = PATTERNS.iter().position(|pattern| fits(pattern, path));
        let route = &self.0[at.unwrap_or(PATTERNS.len())];
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        route.answers[class].fetch_add(1, Relaxed);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        route.latencies[bucket(micros)].fetch_add(1, Relaxed);
        route.micros.fetch_add(micros, Relaxed);
    }

    /// What was counted of all routes that anybody has asked for.
    pub fn counts(&self) -> impl Iterator<Item = RouteCounts> {
        let names = PATTERNS.into_iter().chain([OTHER]);
        names
            .zip(&self.0)
            .map(|(name, route)| route.counts(name))
            .filter(|route| route.answers.iter().any(|(_, count)| *count > 0))
    }
}

impl Route {
    const fn new() -> Self {
        Self {
            answers: [const { AtomicU64::new(0) }; 5],
            latencies: [const { AtomicU64::new(0) }; BUCKETS + 1],
            micros: AtomicU64::new(0),
        }
    }

    fn counts(&self, route: &'static str) -> RouteCounts {
        let answers = CLASSES.into_iter().zip(&self.answers);
        let ends = (FIRST_US_LOG2..).map(|log2| Some(Duration::from_micros(1 << log2)));
        let ends = ends.take(BUCKETS).chain([None]);
        RouteCounts {
            route,
            answers: answers.map(|(class, count)| (class, count.load(Relaxed))).collect(),
            latencies: ends.zip(&self.latencies).map(|(end, n)| (end, n.load(Relaxed))).collect(),
            latency: Duration::from_micros(self.micros.load(Relaxed)),
        }
    }
}

fn bucket(micros: u64) -> usize {
    let log2 = (u64::BITS - micros.leading_zeros()).saturating_sub(FIRST_US_LOG2);
    (log2 as usize).min(BUCKETS)
}

/// Whether a path is of a route: segments in braces are whatever is there.
fn fits(pattern: &str, path: &str) -> bool {
    if !pattern.contains('{') {
        return pattern == path;
    }
    let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted.starts_with('{') || wanted == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_has_one_of_few_names() {
        let name = |path: &str| {
            let at = PATTERNS.iter().position(|pattern| fits(pattern, path));
            at.map_or(OTHER, |at| PATTERNS[at])
        };
        assert_eq!(name("/v1/check"), "/v1/check");
        assert_eq!(name("/v1/reservations/01H/settle"), "/v1/reservations/{id}/settle");
        assert_eq!(name("/v1/policies/a/shadow"), "/v1/policies/{name}/shadow");
        assert_eq!(name("/v1/anything"), "/v1/{resource}");
        assert_eq!(name("/v1/check/x/y"), OTHER);
        assert_eq!(name(""), OTHER);
    }

    #[test]
    fn a_latency_is_below_the_end_of_its_bucket_and_not_below_the_one_before() {
        for micros in [0, 63, 64, 65, 127, 128, 1_000, 4_194_303, 4_194_304, u64::MAX] {
            let at = bucket(micros);
            assert!(at == BUCKETS || micros < 1 << (FIRST_US_LOG2 as usize + at), "{micros}");
            assert!(at == 0 || micros >= 1 << (FIRST_US_LOG2 as usize + at - 1), "{micros}");
        }
        let traffic = Traffic([const { Route::new() }; PATTERNS.len() + 1]);
        traffic.note("/v1/check", StatusCode::OK, Duration::from_micros(70));
        let counts: Vec<_> = traffic.counts().collect();
        assert_eq!(counts.len(), 1);
        assert_eq!(counts[0].answers[1], ("2xx", 1));
        assert_eq!(counts[0].latencies[1], (Some(Duration::from_micros(128)), 1));
    }
}
