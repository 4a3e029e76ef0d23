//! Alert policies: when somebody is warned, and what they are advised.

mod probe;

use std::sync::Arc;

use serde::Serialize;
use tollgate_domain::{Alert, Reading};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::{Kind, PolicyKind};
use crate::bad_output::{BadOutput, each};
use crate::bindings::alerts;
use crate::candidate::AnyPolicy;
use crate::decimal::from_amount;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) struct Alerts;

/// Advice for a dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// A word for programs, for instance `upgrade_plan`.
    pub kind: String,
    pub title: String,
    pub message: String,
}

const SEVERITIES: [&str; 3] = ["info", "warning", "error"];

impl PolicyKind for Alerts {
    type Indices = alerts::GuestIndices;
    type Guest = alerts::Guest;
    type Terms = ();
    type Answers = (Vec<Alert>, Vec<Recommendation>);

    const KIND: Kind = Kind::Alert;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        alerts::GuestIndices::new(pre)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        indices.load(store, instance)
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Alert(policy)
    }

    fn terms(_: &mut Instance<Self>) -> Result<(), Fault> {
        Ok(())
    }

    fn probe(instance: &mut Instance<Self>, (): &()) -> Result<Self::Answers, Fault> {
        let readings = probe::readings();
        let readings: Vec<_> = readings.iter().collect();
        Ok((due(instance, &readings)?, recommend(instance, &readings)?))
    }
}

/// The alerts that are due.
pub(crate) fn due(
    instance: &mut Instance<Alerts>,
    readings: &[&Reading],
) -> Result<Vec<Alert>, Fault> {
    let windows = windows(readings);
    let shown = shown(readings, &windows)?;
    let answer =
        instance.call(input_bytes(readings), |guest, store| guest.call_due(store, &shown))?;
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
    let answer = instance.call(bytes, |guest, store| guest.call_recommend(store, &shown))?;
    let advice = answer.into_iter().map(|advice| Recommendation {
        kind: advice.kind,
        title: advice.title,
        message: advice.message,
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
