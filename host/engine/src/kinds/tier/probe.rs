//! Calls on which a tier policy is tried before it is active.

use std::sync::Arc;

use tollgate_domain::{
    Amount, Calendar, Call, LevelState, Metadata, Plan, Quota, QuotaState, Snapshot, Status,
    SubjectPath, Timestamp, Usage,
};

use super::OfferedPlan;

/// An hour on which every part of a calendar is a different number: 2025-03-04T05:06:07Z.
const AT: Timestamp = Timestamp::from_micros(1_741_064_767_000_000);

/// A call for each plan, alone and beneath another level, with quotas untouched and used up;
/// one without any plan, and one for a plan that is not the policy's own.
pub(super) fn calls(plans: &[OfferedPlan]) -> Vec<(Call, Snapshot)> {
    let (Ok(root), Ok(leaf)) = ("probe".parse(), "probe/leaf".parse::<SubjectPath>()) else {
        return Vec::new();
    };
    let mut snapshots = vec![vec![level(&root, None, false)]];
    for (plan, _) in plans {
        let plan = Arc::new(plan.clone());
        snapshots.push(vec![level(&root, Some(&plan), false)]);
        snapshots.push(vec![level(&root, Some(&plan), true), level(&leaf, None, false)]);
    }
    let foreign = LevelState { plan: "not-a-plan".parse().ok(), ..level(&root, None, false) };
    snapshots.push(vec![foreign]);

    let mut calls = Vec::new();
    for levels in snapshots {
        let snapshot = Snapshot { at: AT, levels };
        calls.extend(call(&leaf).map(|call| (call, snapshot)));
    }
    calls
}

fn call(subject: &SubjectPath) -> Option<Call> {
    let quantities = [("calls", 1), ("input_tokens", 1_200), ("output_tokens", 300)];
    let usage = quantities.map(|(name, amount)| name.parse().ok().map(|name| (name, amount)));
    Some(Call {
        subject: subject.clone(),
        provider: "gemini".parse().ok()?,
        model: "gemini-2.5-flash".parse().ok(),
        endpoint: "/probe".parse().ok(),
        usage: Usage::new(usage.into_iter().flatten()).ok()?,
        max_tokens: Some(1_000),
        features: "probe".parse().into_iter().collect(),
        service_tier: Some("default".into()),
        region: Some("eu".into()),
        metadata: Metadata::from([("probe".into(), "1".into())]),
    })
}

fn level(subject: &SubjectPath, plan: Option<&Arc<Plan>>, used_up: bool) -> LevelState {
    let quotas = plan.map_or(&[][..], |plan| &plan.quotas);
    LevelState {
        subject: subject.clone(),
        calendar: Calendar::default(),
        plan: plan.map(|plan| plan.id.clone()),
        terms: plan.cloned(),
        status: Status::Active,
        quotas: quotas.iter().map(|quota| standing(quota, used_up)).collect(),
    }
}

fn standing(quota: &Quota, used_up: bool) -> QuotaState {
    QuotaState {
        name: quota.name.clone(),
        meter: quota.meter.clone(),
        mode: quota.mode,
        window: quota.window,
        limit: quota.limit,
        grace_percent: quota.grace_percent,
        used: if used_up { quota.limit.unwrap_or(1_000_000.into()) } else { Amount::ZERO },
        reserved: Amount::ZERO,
        requested: Some(1.into()),
        unpriced: false,
        resets_at: None,
    }
}
