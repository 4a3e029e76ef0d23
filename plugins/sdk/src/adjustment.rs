//! Policies that change what calls cost, and the values that they work with.

pub use crate::bindings::adjustment::exports::tollgate::policy::adjustments::{Charge, Failure};

use crate::bindings::adjustment::exports::tollgate::policy::adjustments::Guest;
use crate::export::{self, Slot};
use crate::{Call, Decimal, Inexact, Policy};

/// A policy that changes the price of calls: a margin, a discount, a markup.
///
/// Its manifest says `kind = "pricing"` and `stage = "adjust"`.
pub trait AdjustmentPolicy: Policy {
    /// The charges that shall hold instead. `entry` is the price entry that matched.
    fn adjust(
        &self,
        call: &Call,
        entry: &str,
        charges: Vec<Charge>,
    ) -> Result<Vec<Charge>, Failure>;
}

impl Charge {
    /// The same charge at a multiple of its price.
    pub fn times(self, factor: Decimal) -> Result<Self, Inexact> {
        let unit_price = self.unit_price.times(factor)?;
        let cost = self.amount.times(unit_price)?;
        Ok(Self { unit_price, cost, ..self })
    }
}

/// Money is exact or an error.
impl From<Inexact> for Failure {
    fn from(inexact: Inexact) -> Self {
        Self { code: "inexact".into(), message: inexact.to_string() }
    }
}

/// Exports an [`AdjustmentPolicy`] as the component's policy.
#[macro_export]
macro_rules! export_adjustment {
    ($policy:ty) => {
        $crate::__export!($policy, adjustment);
    };
}

impl<S: Slot<Policy: AdjustmentPolicy>> Guest for S {
    fn adjust(call: Call, entry: String, charges: Vec<Charge>) -> Result<Vec<Charge>, Failure> {
        export::policy::<S>().adjust(&call, &entry, charges)
    }
}
