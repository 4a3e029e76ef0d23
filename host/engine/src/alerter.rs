//! What all alert policies together find worth a warning.

use tollgate_domain::{Alert, Reading};

use crate::beside::Seat;
use crate::fault::Fault;
use crate::kinds::{Alerts, Recommendation};
use crate::policy::Handle;
use crate::question::{Due, Recommend};

/// The alert policies of one set, each with an instance at hand, as in [`Judge`](crate::Judge).
pub struct Alerter {
    alerts: Vec<Handle<Alerts>>,
}

impl Alerter {
    pub(crate) fn new(alerts: &[Seat<Alerts>]) -> Self {
        Self { alerts: alerts.iter().map(Handle::new).collect() }
    }

    /// The alerts that are due. May be asked again; whoever asks raises each only once.
    pub fn due(&mut self, readings: &[Reading]) -> Vec<Alert> {
        self.ask(readings, |alert, own| alert.call(&Due(own)))
    }

    /// Advice for a dashboard.
    pub fn recommend(&mut self, readings: &[Reading]) -> Vec<Recommendation> {
        self.ask(readings, |alert, own| alert.call(&Recommend(own)))
    }

    /// Asks every policy about the readings that concern it. What a failing one would have said
    /// is lost until the next call: alerts are due for as long as their cause lasts.
    fn ask<T>(
        &mut self,
        readings: &[Reading],
        question: impl Fn(&mut Handle<Alerts>, &[&Reading]) -> Result<Vec<T>, Fault>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for alert in &mut self.alerts {
            let applies = &alert.policy().card.manifest.applies_to;
            let own: Vec<_> = readings.iter().filter(|reading| applies.reading(reading)).collect();
            if own.is_empty() {
                continue;
            }
            if let Ok(answers) = question(alert, &own) {
                all.extend(answers);
            }
        }
        all
    }
}
