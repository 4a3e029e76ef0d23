//! `POST /v1/rerate`: what was recorded, under other prices.

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{Calendar, ModelId, PlanId, ProviderId, Span, Timestamp, Usd, Window};
use utoipa::ToSchema;

use super::App;
use super::json::{Json, JsonBody, NoQuery, parse};
use super::openapi::tag;
use super::problem::{Problem, kinds};
use crate::service::{RerateAsk, RerateSum, Rerated};

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RerateQuestion)]
pub struct Question {
    /// Events that occurred from then on; all unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Events that occurred before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The name that the manifest has among the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// A manifest, in TOML; the policies in force unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    #[serde(default)]
    pub apply: bool,
}

/// What it came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Rerated)]
pub struct RerateView<'a> {
    #[serde(flatten)]
    sum: SumView,
    applied: bool,
    corrected: u64,
    revision: &'a str,
    groups: Vec<GroupView<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RerateGroup)]
struct GroupView<'a> {
    provider: &'a ProviderId,
    #[schema(required)]
    model: Option<&'a ModelId>,
    #[schema(required)]
    plan: Option<&'a PlanId>,
    #[serde(flatten)]
    sum: SumView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RerateSum)]
struct SumView {
    events: u64,
    changed: u64,
    newly_priced: u64,
    unpriced: u64,
    cost_given: u64,
    old_cost: Usd,
    new_cost: Usd,
    difference: Usd,
}

/// Price recorded events again
///
/// By the policies in force, or by a manifest that is not. Changes nothing unless `apply` is true;
/// then each event that costs something else is corrected.
#[utoipa::path(
    post,
    path = "/v1/rerate",
    tag = tag::PRICES,
    operation_id = "rerate",
    request_body = Question,
    responses((status = 200, description = "Old, new and difference", body = RerateView)),
    extensions(("x-problems" = json!([kinds::POLICY_REFUSED, kinds::OVERFLOW, kinds::LOST_EVENT]))),
)]
pub async fn rerate(
    service: App,
    _: NoQuery,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let question: Question = parse(&body)?;
    let apply = question.apply;
    let rerated =
        service.rerate(question.ask()?, |events| tracing::info!(events, "re-rating")).await?;
    Ok(Json(RerateView::new(&rerated, apply)).into_response())
}

impl Question {
    pub fn ask(self) -> Result<RerateAsk, Problem> {
        if self.to.is_some_and(|to| Some(to) < self.from) {
            return Err(Problem::invalid("/to", "lies before `from`"));
        }
        let manifest = match (self.policy, self.manifest) {
            (policy, Some(text)) => {
                Some((policy.unwrap_or_else(|| "token-pricing".to_owned()), text))
            }
            (Some(_), None) => return Err(Problem::invalid("/manifest", "is missing")),
            (None, None) => None,
        };
        let always = Window::Lifetime.span(Timestamp::EPOCH, &Calendar::default());
        let span = Span { start: self.from.unwrap_or(always.start), end: self.to };
        Ok(RerateAsk { span, manifest, apply: self.apply })
    }
}

impl<'a> RerateView<'a> {
    pub fn new(rerated: &'a Rerated, applied: bool) -> Self {
        let groups = rerated.groups.iter().map(|(group, sum)| GroupView {
            provider: &group.provider,
            model: group.model.as_ref(),
            plan: group.plan.as_ref(),
            sum: SumView::new(sum),
        });
        Self {
            sum: SumView::new(&rerated.sum),
            applied,
            corrected: rerated.corrected,
            revision: &rerated.revision,
            groups: groups.collect(),
        }
    }
}

impl SumView {
    fn new(sum: &RerateSum) -> Self {
        Self {
            events: sum.events,
            changed: sum.changed,
            newly_priced: sum.newly_priced,
            unpriced: sum.unpriced,
            cost_given: sum.given,
            old_cost: sum.old,
            new_cost: sum.new,
            // Both are sums of what a ledger holds: their difference fits.
            difference: sum.new.checked_sub(sum.old).unwrap_or_default(),
        }
    }
}
