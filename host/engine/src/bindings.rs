//! The interface of `wit/`, in Rust.
//!
//! One world that has everything any kind of policy imports or exports, so that all kinds share
//! the types; what a component really exports is looked up interface by interface. Inputs are
//! borrowed: a call into a guest copies its strings once, into the guest's memory.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package tollgate:host;

        world any-policy {
            include tollgate:policy/scoped-tier-policy@0.1.0;
            include tollgate:policy/rated-pricing-policy@0.1.0;
            include tollgate:policy/quiet-alert-policy@0.1.0;
            include tollgate:policy/adjustment-policy@0.1.0;
        }
    ",
    world: "tollgate:host/any-policy",
    ownership: Borrowing { duplicate_if_necessary: true },
    require_store_data_send: true,
});

pub(crate) use exports::tollgate::policy::{
    adjustments, advice, alerts, call_rates, coded_prices, lifecycle, price_terms, price_wishes,
    prices, quiet_alerts, tiers, verdict_scope,
};
pub(crate) use tollgate::policy::{logging, types};
