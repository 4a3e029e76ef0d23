//! A plan's quotas as they are put, so that what was put can be read and put again.

use serde::{Serialize, Serializer};
use tollgate_domain::{Mode, ModelId, Plan, ProviderId, QuantityName, Quota, QuotaName, Window};
use utoipa::ToSchema;

use crate::http::money::{Exact, Number};

#[derive(Serialize, ToSchema)]
#[schema(as = PlanQuota)]
pub struct QuotaView<'a> {
    name: &'a QuotaName,
    /// `calls`, `tokens`, `cost`, or any other quantity
    #[schema(value_type = QuantityName)]
    meter: &'a str,
    /// Whose calls it counts; empty for all
    providers: &'a [ProviderId],
    /// Which models it counts; empty for all
    models: &'a [ModelId],
    #[serde(serialize_with = "as_text")]
    window: Window,
    /// Null for unlimited; 0 allows nothing
    #[schema(required)]
    limit: Option<Number>,
    #[schema(value_type = Mode)]
    mode: &'static str,
    /// By how many percent a hard limit may be passed
    grace_percent: u32,
}

/// The quotas of a plan; none where there is no plan.
pub fn quotas(plan: Option<&Plan>) -> Vec<QuotaView<'_>> {
    plan.into_iter().flat_map(|plan| &plan.quotas).map(QuotaView::new).collect()
}

impl<'a> QuotaView<'a> {
    fn new(quota: &'a Quota) -> Self {
        Self {
            name: &quota.name,
            meter: quota.meter.as_str(),
            providers: &quota.providers,
            models: &quota.models,
            window: quota.window,
            limit: quota.limit.map(Exact),
            mode: quota.mode.as_str(),
            grace_percent: quota.grace_percent,
        }
    }
}

fn as_text<S: Serializer>(window: &Window, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(window)
}
