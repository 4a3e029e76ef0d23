//! `/metrics`: numbers for Prometheus. All of them are counted anyway; here they are only written
//! down.

use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tollgate_engine::{PolicyMetrics, Rejection};
use tollgate_ledger::Numbers;

use super::App;
use super::openapi::tag;
use super::traffic::TRAFFIC;
use crate::notify::Counted;
use crate::service::Measured;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Read the metrics
///
/// In the text format of OpenMetrics, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = tag::OPERATORS,
    operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text")),
)]
pub async fn show(service: App) -> Response {
    let mut registry = Registry::with_prefix("tollgate");
    registry.register_collector(Box::new(Numbered(service.measured())));
    let mut body = String::new();
    if let Err(error) = text::encode(&mut body, &registry) {
        tracing::error!(%error, "the metrics cannot be written");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

/// What was measured, at the moment at which somebody asks.
struct Numbered(Measured);

impl fmt::Debug for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbered")
    }
}

impl Collector for Numbered {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut page = Page(encoder);
        page.policies(&self.0.policies)?;
        page.engine(&self.0)?;
        page.ledger(&self.0.ledger)?;
        page.unpriced(&self.0)?;
        page.notifications(&self.0)?;
        page.http()
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPolicy {
    policy: String,
    revision: String,
    kind: &'static str,
    stage: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfFault {
    policy: String,
    revision: String,
    fault: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRefused {
    policy: String,
    revision: String,
    step: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfProvider {
    provider: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfNotification {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfChannel {
    channel: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfAnswer {
    route: &'static str,
    status: &'static str,
}

struct Page<'a>(DescriptorEncoder<'a>);

/// The upper end of a bucket in seconds, and how many are in it.
type Bucket = (f64, u64);

impl Page<'_> {
    /// One counter without labels.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// One gauge without labels.
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    /// A number of each policy.
    fn of_policies(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        policies: &[PolicyMetrics],
        value: impl Fn(&PolicyMetrics) -> u64,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for policy in policies {
            let labels = labels(policy);
            let mut metric = metric.encode_family(&labels)?;
            match kind {
                MetricType::Counter => {
                    metric.encode_counter::<NoLabelSet, _, u64>(&value(policy), None)?;
                }
                _ => metric.encode_gauge(&value(policy))?,
            }
        }
        Ok(())
    }

    fn policies(&mut self, all: &[PolicyMetrics]) -> fmt::Result {
        let (counter, gauge) = (MetricType::Counter, MetricType::Gauge);
        self.of_policies("policy_calls", "Calls into a policy", counter, all, |p| p.calls)?;
        self.of_policies("policy_fuel", "Fuel that calls took", counter, all, |p| p.fuel)?;
        let help = "Calls that were asked again of a fresh instance";
        self.of_policies("policy_rechecks", help, counter, all, |p| p.rechecks)?;
        let help = "The most memory that one instance had";
        self.of_policies("policy_memory_bytes", help, gauge, all, |p| p.memory_bytes)?;
        let help = "Instances that there are";
        self.of_policies("policy_instances", help, gauge, all, |p| p.instances)?;

        let help = "Calls that a policy did not answer, by what went wrong";
        let mut faults =
            self.0.encode_descriptor("policy_faults", help, None, MetricType::Counter)?;
        for policy in all {
            for (fault, count) in &policy.faults {
                let (policy, revision) = (policy.policy.clone(), policy.revision.clone());
                let labels = OfFault { policy, revision, fault };
                faults.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let (help, unit) = ("How long calls into a policy took", Some(&Unit::Seconds));
        let mut durations =
            self.0.encode_descriptor("policy_call_duration", help, unit, MetricType::Histogram)?;
        for policy in all {
            let buckets = apart(policy);
            let (sum, labels) = (policy.duration.as_secs_f64(), labels(policy));
            let mut metric = durations.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(sum, policy.calls, &buckets, None)?;
        }
        Ok(())
    }

    fn engine(&mut self, measured: &Measured) -> fmt::Result {
        let engine = measured.engine;
        let help = "Whether a complete set of policies is active";
        self.gauge("policies_ready", help, u64::from(measured.ready))?;
        let help = "How often the folder of policies was looked at";
        self.counter("policies_looks", help, engine.looks)?;
        let help = "How often another set of policies became active";
        self.counter("policies_activations", help, engine.activations)?;
        let help = "How many candidates were refused";
        self.counter("policies_refusals", help, engine.refusals)?;
        let help = "How many plugins were compiled, and not merely remembered";
        self.counter("policies_compilations", help, engine.compiled)?;
        let help = "Checks and comparisons that there was no time for";
        self.counter("policies_passed_over", help, engine.passed_over)?;
        let help = "Candidates that are refused now, by the stage that they did not reach";
        let mut refused =
            self.0.encode_descriptor("policies_refused", help, None, MetricType::Gauge)?;
        // Names come from a folder that may be full of anything.
        for rejection in measured.refused.iter().take(REFUSED_MAX) {
            let Rejection { name, step, revision, .. } = rejection;
            let (policy, revision) = (name.clone(), revision.clone().unwrap_or_default());
            let labels = OfRefused { policy, revision, step };
            refused.encode_family(&labels)?.encode_gauge(&1)?;
        }
        Ok(())
    }

    fn ledger(&mut self, numbers: &Numbers) -> fmt::Result {
        let Numbers { commits, units, commit_time, roots, blocks } = *numbers;
        self.counter("ledger_commits", "Batches that were written and synced", commits)?;
        self.counter("ledger_units", "Units that were in them", units)?;
        let help = "How long batches took to write and sync, all together";
        let unit = Some(&Unit::Seconds);
        let kind = MetricType::Counter;
        let mut time = self.0.encode_descriptor("ledger_commit_duration", help, unit, kind)?;
        time.encode_counter::<NoLabelSet, _, u64>(&commit_time.as_secs_f64(), None)?;
        self.gauge("ledger_roots", "Roots that are in memory", roots)?;
        self.gauge("ledger_blocks", "Blocks of the journal", blocks)
    }

    fn unpriced(&mut self, measured: &Measured) -> fmt::Result {
        let help = "Events that were recorded and that nobody priced";
        let mut events =
            self.0.encode_descriptor("unpriced_events", help, None, MetricType::Counter)?;
        for (provider, count) in &measured.unpriced {
            let provider = provider.as_ref().map_or_else(|| OTHERS.into(), ToString::to_string);
            let labels = OfProvider { provider };
            events.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        Ok(())
    }

    fn notifications(&mut self, measured: &Measured) -> fmt::Result {
        let help = "Notifications that were tried, by what became of them";
        let mut tried =
            self.0.encode_descriptor("notifications", help, None, MetricType::Counter)?;
        for Counted { kind, outcome, count } in &measured.notifications {
            let labels = OfNotification { channel: kind.as_str(), outcome: outcome.as_str() };
            tried.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        let help = "How long the notification has been due that has waited longest";
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Gauge);
        let mut overdue = self.0.encode_descriptor("notifications_overdue", help, unit, kind)?;
        for (channel, overdue_by) in &measured.overdue {
            let labels = OfChannel { channel: channel.as_str() };
            overdue.encode_family(&labels)?.encode_gauge(&overdue_by.as_secs_f64())?;
        }
        Ok(())
    }

    fn http(&mut self) -> fmt::Result {
        let routes: Vec<_> = TRAFFIC.counts().collect();
        let help = "Requests that were answered, by the class of the status";
        let mut answers =
            self.0.encode_descriptor("http_requests", help, None, MetricType::Counter)?;
        for route in &routes {
            for (status, count) in route.answers.iter().filter(|(_, count)| *count > 0) {
                let labels = OfAnswer { route: route.route, status };
                answers
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let (help, unit) = ("How long requests took", Some(&Unit::Seconds));
        let kind = MetricType::Histogram;
        let mut durations = self.0.encode_descriptor("http_request_duration", help, unit, kind)?;
        for route in &routes {
            let end =
                |end: Option<std::time::Duration>| end.map_or(f64::MAX, |end| end.as_secs_f64());
            let buckets = route.latencies.iter().map(|(upper, count)| (end(*upper), *count));
            let buckets: Vec<Bucket> = buckets.collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let labels = OfRoute { route: route.route };
            let mut metric = durations.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(
                route.latency.as_secs_f64(),
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

/// Providers that are not counted by name; no provider has this one.
const OTHERS: &str = "(others)";

/// Refused candidates that have a line each.
const REFUSED_MAX: usize = 100;

fn labels(policy: &PolicyMetrics) -> OfPolicy {
    OfPolicy {
        policy: policy.policy.clone(),
        revision: policy.revision.clone(),
        kind: policy.kind.as_str(),
        stage: policy.stage,
    }
}

/// Buckets that each count only what is in no smaller one.
fn apart(policy: &PolicyMetrics) -> Vec<Bucket> {
    let mut before = 0;
    let mut buckets: Vec<Bucket> = Vec::new();
    for (end, count) in &policy.durations {
        buckets.push((end.as_secs_f64(), count.saturating_sub(before)));
        before = *count;
    }
    buckets.push((f64::MAX, policy.calls.saturating_sub(before)));
    buckets
}
