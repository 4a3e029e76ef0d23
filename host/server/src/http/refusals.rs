//! `/v1/refusals`: what was refused, when and why, the newest first.

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Calendar, Decision, EndpointName, FeatureId, Metadata, ModelId, PeriodId, ProviderId,
    QuotaName, Span, SubjectPath, Timestamp, Window,
};
use tollgate_ledger::store::RefusalFilter;
use tollgate_ledger::{Refusal, RefusalId};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::App;
use super::decision::Verdict;
use super::fields::ShortTexts;
use super::json::query;
use super::openapi::schema::whole;
use super::openapi::tag;
use super::problem::Problem;
use super::receipt::UsageMap;
use crate::service::Refusals;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only calls of this level, and counts of it
    subject: Option<SubjectPath>,
    /// Leave out what was refused earlier
    from: Option<Timestamp>,
    /// Leave out what was refused then or later
    to: Option<Timestamp>,
    /// How many at most
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// Older than this one: the last of the page before.
    #[param(pattern = "^rf-[0-9a-f]{1,15}-[0-9a-f]{1,7}$", example = "rf-1-0")]
    before: Option<String>,
}

/// What `limit` may be.
fn limits() -> Object {
    whole(1..=LIMIT_MAX as u64, Some(LIMIT as u64))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Refusals)]
struct Page<'a> {
    refusals: Vec<RefusalView<'a>>,
    /// Whether there are older ones.
    has_more: bool,
    /// How many there were, if a subject is asked about.
    counts: Vec<CountView<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Refusal)]
struct RefusalView<'a> {
    refusal_id: String,
    subject: &'a SubjectPath,
    provider: &'a ProviderId,
    #[schema(required)]
    model: Option<&'a ModelId>,
    #[schema(required)]
    endpoint: Option<&'a EndpointName>,
    /// As its caller stated it.
    usage: UsageMap<'a>,
    #[schema(required)]
    max_tokens: Option<u32>,
    features: &'a [FeatureId],
    #[schema(value_type = ShortTexts)]
    metadata: &'a Metadata,
    /// With what policies filled in.
    estimated_usage: UsageMap<'a>,
    refused_at: Timestamp,
    billing_period: &'a PeriodId,
    #[serde(flatten)]
    verdict: Verdict<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RefusalCount)]
struct CountView<'a> {
    billing_period: &'a PeriodId,
    reason: &'a str,
    #[schema(required)]
    quota: Option<&'a QuotaName>,
    count: u64,
}

/// See what was refused
///
/// The newest first. The last `refusal_id` of a page is `before` of the next.
#[utoipa::path(
    get,
    path = "/v1/refusals",
    tag = tag::OPERATORS,
    operation_id = "listRefusals",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page)),
)]
pub async fn list(service: App, uri: Uri) -> Result<Response, Problem> {
    let which = query::<Which>(&uri)?.into_filter()?;
    let Refusals { list, has_more, counts } = service.refusals(&which).await?;
    let decisions: Vec<_> = list.iter().map(|(_, refusal)| refusal.decision()).collect();
    let refusals = list.iter().zip(&decisions);
    let counts = counts.iter().flat_map(|(billing_period, counts)| {
        counts.0.iter().map(move |(cause, count)| CountView {
            billing_period,
            reason: &cause.reason,
            quota: cause.quota.as_ref(),
            count: *count,
        })
    });
    let page = Page {
        refusals: refusals
            .map(|((id, refusal), decision)| RefusalView::new(*id, refusal, decision))
            .collect(),
        has_more,
        counts: counts.collect(),
    };
    Ok(Json(page).into_response())
}

impl Which {
    fn into_filter(self) -> Result<RefusalFilter, Problem> {
        let always = Window::Lifetime.span(Timestamp::EPOCH, &Calendar::default());
        let span = Span { start: self.from.unwrap_or(always.start), end: self.to };
        if span.end.is_some_and(|end| end < span.start) {
            return Err(Problem::invalid("/to", "lies before `from`"));
        }
        let limit = self.limit.map_or(Ok(LIMIT), |limit| {
            let limit = limit.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            let wrong = || format!("must be a whole number from 1 to {LIMIT_MAX}");
            limit.ok_or_else(|| Problem::invalid("/limit", wrong()))
        })?;
        let before = self.before.map(|id| id.parse::<RefusalId>()).transpose();
        let before = before.map_err(|()| Problem::invalid("/before", "is not a refusal's id"))?;
        Ok(RefusalFilter { subject: self.subject, span, before, limit })
    }
}

impl<'a> RefusalView<'a> {
    fn new(id: RefusalId, refusal: &'a Refusal, decision: &'a Decision) -> Self {
        let call = &refusal.call;
        Self {
            refusal_id: id.to_string(),
            subject: &call.subject,
            provider: &call.provider,
            model: call.model.as_ref(),
            endpoint: call.endpoint.as_ref(),
            usage: UsageMap(refusal.asked.as_ref().unwrap_or(&call.usage)),
            max_tokens: call.max_tokens,
            features: &call.features,
            metadata: &call.metadata,
            estimated_usage: UsageMap(&call.usage),
            refused_at: refusal.at(),
            billing_period: &refusal.period,
            verdict: Verdict::new(decision, refusal.cost, &refusal.revision),
        }
    }
}
