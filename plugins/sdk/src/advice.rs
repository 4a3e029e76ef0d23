//! What an alert policy may advise on: what a subject used, and what there is to choose from.

pub use crate::bindings::alert::exports::tollgate::policy::advice::{
    Alternative, Candidate, Model, ModelUse, Month, Offer, OfferedQuota, Outlook,
    Recommendation as Advice,
};

use crate::alert::Recommendation;
use crate::bindings::alert::exports::tollgate::policy::advice::Guest;
use crate::export::{self, Slot};
use crate::{AlertPolicy, Decimal};

impl Outlook {
    /// The plan in force, as it is offered.
    pub fn own(&self) -> Option<&Offer> {
        self.offers.iter().find(|offer| Some(&offer.plan) == self.plan.as_ref())
    }

    /// What a plan costs for the subject's billing cycle, in USD.
    pub fn price(&self, offer: &Offer) -> Decimal {
        match self.billing_cycle.as_str() {
            "yearly" => offer.price_yearly,
            _ => offer.price_monthly,
        }
    }
}

impl Advice {
    /// Advice of this kind that names neither a plan nor a model.
    pub fn new(kind: &str, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            title: title.into(),
            message: message.into(),
            plan: None,
            by: None,
            saving: None,
        }
    }
}

impl From<Recommendation> for Advice {
    fn from(Recommendation { kind, title, message }: Recommendation) -> Self {
        Self::new(&kind, title, message)
    }
}

impl<S: Slot<Policy: AlertPolicy>> Guest for S {
    fn candidates(used: Vec<Model>) -> Vec<Candidate> {
        export::policy::<S>().candidates(&used)
    }

    fn advise(outlook: Outlook) -> Vec<Advice> {
        export::policy::<S>().advise(&outlook)
    }
}
