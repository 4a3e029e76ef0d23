//! Alert policies: when somebody is warned, and what they are advised.

mod advice;
mod outlook;
mod probe;

use std::sync::Arc;

use serde::Serialize;
use tollgate_domain::{Alert, PlanId, Reading, Usd};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::{Kind, PolicyKind, exports};
use crate::bad_output::{BadOutput, each};
use crate::bindings::{advice as advice_interface, alerts, quiet_alerts};
use crate::candidate::AnyPolicy;
use crate::decimal::from_amount;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) use advice::{advise, candidates};
pub use outlook::{
    Alternative, Candidate, ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota, Outlook,
};

pub(crate) struct Alerts;

/// Where the functions of an alert policy's interfaces are.
pub(crate) struct Indices {
    alerts: alerts::GuestIndices,
    advice: Option<advice_interface::GuestIndices>,
    quiet: Option<quiet_alerts::GuestIndices>,
}

/// The functions of one instance.
pub(crate) struct Functions {
    alerts: alerts::Guest,
    advice: Option<advice_interface::Guest>,
    quiet: Option<quiet_alerts::Guest>,
}

/// What an alert policy is asked.
#[derive(Debug, PartialEq)]
pub(crate) struct Attention {
    /// Whether it advises on all that there is to choose from, instead of on readings alone.
    pub advises: bool,
    /// In percent of a limit: below that it has nothing to say.
    pub quiet_below: u32,
}

impl Attention {
    /// Whether there is nothing to be said of a reading.
    pub fn is_quiet(&self, reading: &Reading) -> bool {
        let most = reading.before.max(reading.after);
        most.is_below_percent(self.quiet_below, reading.limit)
    }
}

/// Advice for a dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// A word for programs, for instance `upgrade_plan`.
    pub kind: String,
    pub title: String,
    pub message: String,
    /// The plan that is advised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The model that is advised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<ModelName>,
    /// How much less it would have cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saving: Option<Usd>,
}

const SEVERITIES: [&str; 3] = ["info", "warning", "error"];

impl PolicyKind for Alerts {
    type Indices = Indices;
    type Guest = Functions;
    type Terms = Attention;
    type Answers = (Vec<Alert>, Vec<Recommendation>);
    type Kept = ();

    const KIND: Kind = Kind::Alert;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        let (advises, is_quiet) = (exports(pre, "advice"), exports(pre, "quiet-alerts"));
        Ok(Indices {
            alerts: alerts::GuestIndices::new(pre)?,
            advice: advises.then(|| advice_interface::GuestIndices::new(pre)).transpose()?,
            quiet: is_quiet.then(|| quiet_alerts::GuestIndices::new(pre)).transpose()?,
        })
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        let (advice, quiet) = (indices.advice.as_ref(), indices.quiet.as_ref());
        Ok(Functions {
            alerts: indices.alerts.load(&mut *store, instance)?,
            advice: advice.map(|advice| advice.load(&mut *store, instance)).transpose()?,
            quiet: quiet.map(|quiet| quiet.load(store, instance)).transpose()?,
        })
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Alert(policy)
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        instance.set_up(|guest, store| {
            let quiet_below =
                guest.quiet.as_ref().map_or(Ok(0), |it| it.call_quiet_below(store))?;
            Ok(Attention { advises: guest.advice.is_some(), quiet_below })
        })
    }

    fn probe(instance: &mut Instance<Self>, terms: &Self::Terms) -> Result<Self::Answers, Fault> {
        let readings = probe::readings();
        let readings: Vec<_> = readings.iter().collect();
        let quiet: Vec<_> = readings.iter().copied().filter(|it| terms.is_quiet(it)).collect();
        if !quiet.is_empty() && !due(instance, &quiet)?.is_empty() {
            return Err(BadOutput::new("quiet-below", "it raises alerts below that").into());
        }
        let due = due(instance, &readings)?;
        let mut advice = recommend(instance, &readings)?;
        if let Some(mut outlook) = probe::outlook().filter(|_| terms.advises) {
            let models = outlook.models();
            let candidates = candidates(instance, &models)?;
            outlook.price(&models, &candidates, &mut |used, _| Some(used.cost));
            advice.extend(advise(instance, &outlook)?);
        }
        Ok((due, advice))
    }
}

/// The alerts that are due.
pub(crate) fn due(
    instance: &mut Instance<Alerts>,
    readings: &[&Reading],
) -> Result<Vec<Alert>, Fault> {
    let windows = windows(readings);
    let shown = shown(readings, &windows)?;
    let answer = instance
        .call(input_bytes(readings), |guest, store| guest.alerts.call_due(store, &shown))?;
    Ok(each("alerts", answer, |alert| read(alert, readings))?)
}

/// Advice on where these readings lead.
pub(crate) fn recommend(
    instance: &mut Instance<Alerts>,
    readings: &[&Reading],
) -> Result<Vec<Recommendation>, Fault> {
    let windows = windows(readings);
    let shown = shown(readings, &windows)?;
    let bytes = input_bytes(readings);
    let answer = instance.call(bytes, |guest, store| guest.alerts.call_recommend(store, &shown))?;
    let advice = answer.into_iter().map(|advice| Recommendation {
        kind: advice.kind,
        title: advice.title,
        message: advice.message,
        plan: None,
        by: None,
        saving: None,
    });
    Ok(advice.collect())
}

/// The names of the readings' windows.
fn windows(readings: &[&Reading]) -> Vec<String> {
    readings.iter().map(|reading| reading.window.to_string()).collect()
}

fn shown<'a>(
    readings: &[&'a Reading],
    windows: &'a [String],
) -> Result<Vec<alerts::Reading<'a>>, Fault> {
    let show = |(reading, window): (&&'a Reading, &'a String)| {
        Ok(alerts::Reading {
            subject: reading.subject.as_str(),
            plan: reading.plan.as_str(),
            quota: reading.quota.as_str(),
            meter: reading.meter.as_str(),
            provider: reading.provider.as_ref().map(|provider| provider.as_str()),
            window,
            limit: from_amount(reading.limit)?,
            before: from_amount(reading.before)?,
            after: from_amount(reading.after)?,
            raised: &reading.raised,
        })
    };
    readings.iter().zip(windows).map(show).collect()
}

fn read(alert: alerts::Alert, readings: &[&Reading]) -> Result<Alert, BadOutput> {
    let reading = usize::try_from(alert.reading).ok().and_then(|at| readings.get(at));
    let reading = reading.ok_or_else(|| {
        let problem = format_args!("{} is none of {}", alert.reading, readings.len());
        BadOutput::new("reading", problem)
    })?;
    if !SEVERITIES.contains(&alert.severity.as_str()) {
        let problem = format_args!("`{}` is none of info, warning and error", alert.severity);
        return Err(BadOutput::new("severity", problem));
    }
    if alert.kind.is_empty() {
        return Err(BadOutput::new("kind", "is empty"));
    }
    Ok(Alert {
        subject: reading.subject.clone(),
        quota: reading.quota.clone(),
        provider: reading.provider.clone(),
        limit: reading.limit,
        threshold: alert.threshold,
        kind: alert.kind,
        severity: alert.severity,
        title: alert.title,
        message: alert.message,
    })
}

/// Roughly what the readings take in a guest's memory.
fn input_bytes(readings: &[&Reading]) -> u64 {
    const READING_BYTES: u64 = 240;
    let texts: usize = readings.iter().map(|reading| reading.subject.as_str().len()).sum();
    READING_BYTES * readings.len() as u64 + texts as u64
}
