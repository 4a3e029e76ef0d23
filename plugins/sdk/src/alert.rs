//! Policies that say when somebody is warned, and what they are advised.

pub use crate::bindings::alert::exports::tollgate::policy::alerts::{
    Alert, Reading, Recommendation,
};

use crate::Policy;
use crate::advice::{Advice, Candidate, Model, Outlook};
use crate::bindings::alert::exports::tollgate::policy::alerts::Guest;
use crate::bindings::alert::exports::tollgate::policy::quiet_alerts::Guest as QuietGuest;
use crate::export::{self, Slot};

/// A policy that raises alerts.
pub trait AlertPolicy: Policy {
    /// The alerts that are due now and were not raised yet, whether or not this is the call that
    /// made them so.
    fn due(&self, readings: &[Reading]) -> Vec<Alert>;

    /// In percent of a limit: below that nothing is due, and the host need not ask. 0 unless it says
    /// otherwise: asked each time.
    fn quiet_below(&self) -> u32 {
        0
    }

    /// Advice for a dashboard on how quotas stand; none unless it says otherwise.
    fn recommend(&self, readings: &[Reading]) -> Vec<Recommendation> {
        let _ = readings;
        Vec::new()
    }

    /// The models that might have served instead of those that were used, for the host to price;
    /// none unless it says otherwise.
    fn candidates(&self, used: &[Model]) -> Vec<Candidate> {
        let _ = used;
        Vec::new()
    }

    /// Advice for a dashboard, given all that there is to choose from: what [`recommend`] says of
    /// the quotas, unless it says otherwise.
    ///
    /// [`recommend`]: Self::recommend
    fn advise(&self, outlook: &Outlook) -> Vec<Advice> {
        self.recommend(&outlook.readings).into_iter().map(Advice::from).collect()
    }
}

/// Exports an [`AlertPolicy`] as the component's policy.
#[macro_export]
macro_rules! export_alert {
    ($policy:ty) => {
        $crate::__export!($policy, alert);
    };
}

impl<S: Slot<Policy: AlertPolicy>> Guest for S {
    fn due(readings: Vec<Reading>) -> Vec<Alert> {
        export::policy::<S>().due(&readings)
    }

    fn recommend(readings: Vec<Reading>) -> Vec<Recommendation> {
        export::policy::<S>().recommend(&readings)
    }
}

impl<S: Slot<Policy: AlertPolicy>> QuietGuest for S {
    fn quiet_below() -> u32 {
        export::policy::<S>().quiet_below()
    }
}
