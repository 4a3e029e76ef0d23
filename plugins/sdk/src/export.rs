//! What the export macros stand on: one configured policy for each instance of a component.

use std::sync::OnceLock;

use crate::bindings::common::exports::tollgate::policy::lifecycle::Guest;
use crate::{Description, Pointer, Policy, Problem, config, log};

/// Where a component keeps its policy.
pub trait Slot: 'static {
    /// The policy that the component exports.
    type Policy: Policy;

    /// Empty until the component is configured.
    fn slot() -> &'static OnceLock<Self::Policy>;
}

/// The configured policy.
///
/// # Panics
/// Before `configure`, which the contract rules out.
pub(crate) fn policy<S: Slot>() -> &'static S::Policy {
    S::slot().get().expect("the policy is called after it was configured")
}

impl<S: Slot> Guest for S {
    fn describe() -> Description {
        S::Policy::describe()
    }

    fn configure(json: String) -> Result<(), Vec<Problem>> {
        log::log_panics();
        let policy = S::Policy::new(config::decode(&json).map_err(|problem| vec![problem])?)?;
        S::slot()
            .set(policy)
            .map_err(|_| vec![Problem::at(&Pointer::root(), "the policy is configured already")])
    }
}

/// Exports a policy: its life cycle, and the interface of its kind.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($policy:ty, $kind:ident) => {
        const _: () = {
            struct Component;

            impl $crate::export::Slot for Component {
                type Policy = $policy;

                fn slot() -> &'static ::std::sync::OnceLock<$policy> {
                    static SLOT: ::std::sync::OnceLock<$policy> = ::std::sync::OnceLock::new();
                    &SLOT
                }
            }

            $crate::bindings::common::export! { Component with_types_in $crate::bindings::common }
            $crate::bindings::$kind::export! { Component with_types_in $crate::bindings::$kind }
        };
    };
}
