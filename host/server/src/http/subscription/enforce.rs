//! `POST /api/subscription/enforce`: whether a call may be made, asked as the seed asks it.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Call, Decision, Meter, ModelId, PlanId, ProviderId, QuantityName, QuotaName, QuotaState,
    SubjectPath, Timestamp, Usage, reason,
};
use utoipa::ToSchema;

use super::envelope::{Exception, Failed, answer, failure};
use super::user::User;
use crate::http::App;
use crate::http::fields::Whole;
use crate::http::json::{JsonBody, no_query, parse};
use crate::http::money::{Dollars, Exact, Number};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::http::{rate_limit, reservations};
use crate::service::{Answer, Error};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallToEnforce)]
struct Ask {
    user_id: SubjectPath,
    provider: ProviderId,
    tokens_requested: Option<Whole>,
    model: Option<ModelId>,
}

#[derive(Serialize, ToSchema)]
struct MayProceed<'a> {
    can_proceed: bool,
    message: &'static str,
    usage_info: UsageInfo<'a>,
}

/// Where the call stands.
#[derive(Serialize, ToSchema)]
struct UsageInfo<'a> {
    provider: &'a ProviderId,
    #[schema(required)]
    estimated_cost: Option<Dollars>,
    /// The quotas that it touches, on every level.
    quotas: Vec<Standing<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LimitStanding)]
struct Standing<'a> {
    subject: &'a SubjectPath,
    #[schema(required)]
    plan: Option<&'a PlanId>,
    quota: &'a QuotaName,
    limit_type: &'a str,
    current_usage: Number,
    reserved: Number,
    /// 0 for unlimited, and of what is left of it null.
    limit_value: Number,
    #[schema(required)]
    remaining: Option<Number>,
    #[schema(required)]
    resets_at: Option<Timestamp>,
}

/// Ask whether a call may be made, as the seed asks it
#[utoipa::path(
    post,
    path = "/enforce",
    tag = tag::DASHBOARDS,
    operation_id = "enforce",
    request_body = Ask,
    responses((status = 200, description = "It may", body = MayProceed)),
    extensions(("x-problems" = json!([kinds::CALL_REFUSED, kinds::UNPRICED_CALL, kinds::QUOTA_EXCEEDED, kinds::POLICY_ERROR, kinds::REJECTED, kinds::OVERFLOW]))),
)]
pub async fn enforce(service: App, uri: Uri, body: Result<JsonBody, Problem>) -> Response {
    let user = body.as_ref().map_or(User::unknown(), |JsonBody(body)| User::in_body(body));
    let answered = async {
        let subscription = |problem| Failed(Exception::Subscription, problem);
        no_query(&uri).map_err(subscription)?;
        let JsonBody(body) = body.map_err(subscription)?;
        let ask: Ask = parse(&body).map_err(subscription)?;
        let provider = ask.provider.clone();
        let failed = |error: Error| Failed(Exception::Subscription.of(&error), error.into());
        let call = ask.into_call().map_err(failed)?;
        let answered = service.enforce(call).await.map_err(failed)?;
        Ok((answered, provider))
    };
    let (answered, provider) = match answered.await {
        Ok(answered) => answered,
        Err(Failed(exception, problem)) => {
            return failure(&service, exception, Some(&user), &problem);
        }
    };
    let decision = &answered.decision;
    match refusal(decision, &provider) {
        None => {
            let view = MayProceed::new(&answered, &provider);
            answer(&service, Exception::Subscription, Some(&user), Ok(view))
        }
        Some(Failed(exception, problem)) => {
            let refused = failure(&service, exception, Some(&user), &problem);
            let headers = (rate_limit::headers(decision), rate_limit::retry_after(decision));
            (headers, refused).into_response()
        }
    }
}

impl Ask {
    /// The tokens are not told apart before the call: they count as input. A count that is not
    /// stated is estimated by policies, as everywhere.
    fn into_call(self) -> Result<Call, Error> {
        let name = |name: &str| name.parse::<QuantityName>().ok();
        let tokens =
            self.tokens_requested.map(|tokens| [("input_tokens", tokens.0), ("output_tokens", 0)]);
        let tokens = tokens.into_iter().flatten();
        let usage = Usage::new(tokens.filter_map(|(quantity, n)| Some((name(quantity)?, n))))?;
        Ok(Call {
            subject: self.user_id,
            provider: self.provider,
            model: self.model,
            endpoint: None,
            usage,
            max_tokens: None,
            features: vec![],
            service_tier: None,
            region: None,
            metadata: Default::default(),
        })
    }
}

/// Why not, with the seed's details.
fn refusal(decision: &Decision, provider: &ProviderId) -> Option<Failed> {
    let (denial, level, quota) = decision.denied_by()?;
    let status = reservations::kind_of(&denial.reason).status;
    let exception = match denial.reason.as_str() {
        reason::UNPRICED => Exception::Pricing,
        _ => Exception::Subscription,
    };
    let problem = Problem::plain(status, &denial.message)
        .with("provider", provider)
        .with("reason", &denial.reason)
        .with("subject", &level.subject)
        .with("plan", &level.plan);
    let Some(quota) = quota else { return Some(Failed(exception, problem)) };
    let problem = problem
        .with("quota", &quota.name)
        .with("limit_type", limit_type(&quota.meter))
        .with("current_usage", Exact(quota.used))
        .with("limit_value", quota.limit.map(Exact))
        .with("reserved", Exact(quota.reserved))
        .with("requested", quota.requested.map(Exact))
        .with("resets_at", quota.resets_at);
    Some(Failed(exception, problem))
}

/// The seed's word for what a quota counts.
fn limit_type(meter: &Meter) -> &str {
    match meter.as_str() {
        "calls" => "api_calls",
        meter => meter,
    }
}

impl<'a> MayProceed<'a> {
    fn new(answered: &'a Answer, provider: &'a ProviderId) -> Self {
        let levels = answered.decision.snapshot.levels.iter();
        let quotas = levels.flat_map(|level| {
            let standing = |quota| Standing::new(&level.subject, level.plan.as_ref(), quota);
            level.quotas.iter().map(standing)
        });
        Self {
            can_proceed: true,
            message: "Within limits",
            usage_info: UsageInfo {
                provider,
                estimated_cost: answered.estimated_cost.map(Exact),
                quotas: quotas.collect(),
            },
        }
    }
}

impl<'a> Standing<'a> {
    fn new(subject: &'a SubjectPath, plan: Option<&'a PlanId>, quota: &'a QuotaState) -> Self {
        Self {
            subject,
            plan,
            quota: &quota.name,
            limit_type: limit_type(&quota.meter),
            current_usage: Exact(quota.used),
            reserved: Exact(quota.reserved),
            limit_value: Exact(quota.limit.unwrap_or_default()),
            remaining: quota.remaining().map(Exact),
            resets_at: quota.resets_at,
        }
    }
}
