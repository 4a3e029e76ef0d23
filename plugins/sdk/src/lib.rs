//! Write policies for Tollgate.
//!
//! A policy is a type: [`Policy`] says how it comes from its configuration, and one of
//! [`TierPolicy`], [`PricingPolicy`], [`AdjustmentPolicy`] and [`AlertPolicy`] what it decides. An
//! export macro makes it a component. The types are those of the contract in `wit/`; they are plain data, so a policy is
//! tested with `cargo test` like any other code.
//!
//! `plugins/README.md` leads from an empty crate to a running policy.

mod call;
mod decimal;
mod pointer;
mod policy;
mod problem;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub mod adjustment;
pub mod advice;
pub mod alert;
pub mod config;
pub mod log;
pub mod pricing;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tier;

pub use adjustment::AdjustmentPolicy;
pub use alert::AlertPolicy;
pub use bindings::common::tollgate::policy::types::{Call, Fact, Measure};
pub use decimal::{Decimal, Inexact, NotADecimal};
pub use pointer::Pointer;
pub use policy::{Description, Policy};
pub use pricing::PricingPolicy;
pub use problem::{Problem, Problems};
#[cfg(feature = "schema")]
pub use schemars::JsonSchema;
pub use tier::TierPolicy;

/// What `#[derive(JsonSchema)]` stands on: `#[schemars(crate = "tollgate_plugin::schemars")]`.
#[cfg(feature = "schema")]
pub use schemars;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
