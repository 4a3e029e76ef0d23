//! What all alert policies together find worth a warning.

use tollgate_domain::{Alert, Reading, Usd};

use crate::beside::Seat;
use crate::fault::Fault;
use crate::kinds::{Alerts, ModelName, ModelUse, Outlook, Recommendation};
use crate::policy::Handle;
use crate::question::{Advise, Candidates, Due, Recommend};

/// The alert policies of one set, each with an instance at hand unless it is seldom asked, as in [`Judge`](crate::Judge).
pub struct Alerter {
    alerts: Vec<Handle<Alerts>>,
}

impl Alerter {
    pub(crate) fn new(alerts: &[Seat<Alerts>]) -> Self {
        let handle = |seat: &Seat<Alerts>| match seat.policy.terms.quiet_below {
            0 => Handle::new(seat),
            _ => Handle::seldom(seat),
        };
        Self { alerts: alerts.iter().map(handle).collect() }
    }

    /// The alerts that are due. May be asked again; whoever asks raises each only once.
    pub fn due(&mut self, readings: &[Reading]) -> Vec<Alert> {
        let mut all = Vec::new();
        for alert in &mut self.alerts {
            // What a failing one would have said is lost until the next call: alerts are due for as
            // long as their cause lasts.
            let is_compared = alert.is_compared();
            let terms = &alert.policy().terms;
            let concerns = |reading: &Reading| is_compared || !terms.is_quiet(reading);
            let own: Vec<_> = concerned(alert, readings).filter(|it| concerns(it)).collect();
            if !own.is_empty() {
                all.extend(alert.call(&Due(&own)).unwrap_or_default());
            }
        }
        all
    }

    /// Advice for a dashboard. `price` says what the same use would cost with another model, or
    /// with its own, today. A policy that does not ask for an outlook is shown the readings.
    pub fn recommend(
        &mut self,
        outlook: &Outlook,
        mut price: impl FnMut(&ModelUse, &ModelName) -> Option<Usd>,
    ) -> Vec<Recommendation> {
        let mut all = Vec::new();
        for alert in &mut self.alerts {
            if alert.policy().terms.advises {
                all.extend(advice(alert, outlook, &mut price).unwrap_or_default());
            } else {
                let own: Vec<_> = concerned(alert, &outlook.readings).collect();
                if !own.is_empty() {
                    all.extend(alert.call(&Recommend(&own)).unwrap_or_default());
                }
            }
        }
        all
    }
}

/// The readings that concern a policy.
fn concerned<'a>(
    alert: &Handle<Alerts>,
    readings: &'a [Reading],
) -> impl Iterator<Item = &'a Reading> {
    let manifest = alert.policy().card.manifest.clone();
    readings.iter().filter(move |reading| manifest.applies_to.reading(reading))
}

/// Asks a policy what to compare, and then what it advises.
fn advice(
    alert: &mut Handle<Alerts>,
    outlook: &Outlook,
    price: &mut impl FnMut(&ModelUse, &ModelName) -> Option<Usd>,
) -> Result<Vec<Recommendation>, Fault> {
    let applies = &alert.policy().card.manifest.applies_to;
    if !applies.level(&outlook.subject, outlook.plan.as_ref()) {
        return Ok(Vec::new());
    }
    let mut own = applies.outlook(outlook);
    let models = own.models();
    if !models.is_empty() {
        let asked = Candidates { subject: &outlook.subject, models: &models };
        let candidates = alert.call(&asked)?;
        own.price(&models, &candidates, price);
    }
    alert.call(&Advise(&own))
}
