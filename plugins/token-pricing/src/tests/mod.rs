//! The policy as the host sees it, mostly under the manifest that is shipped.

mod catalogues;
mod configuring;
mod extracting;
mod fuzz;
mod pricing;
mod properties;

use serde_json::Value;
use tollgate_plugin::pricing::Quote;
use tollgate_plugin::{Call, Decimal, Measure, Policy, Problem, config};

use crate::TokenPricing;

const SHIPPED: &str = include_str!("../../../../policies/token-pricing.toml");

/// 2026-07-15T12:00:00Z.
const JULY_2026: u64 = 1_784_116_800_000;

fn configured(config: &Value) -> Result<TokenPricing, Vec<Problem>> {
    TokenPricing::new(config::decode(&config.to_string()).map_err(|problem| vec![problem])?)
}

fn policy(config: Value) -> TokenPricing {
    configured(&config).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn shipped() -> TokenPricing {
    let manifest: Value = toml::from_str(SHIPPED).expect("a manifest");
    policy(manifest["config"].clone())
}

fn call(provider: &str, model: &str, usage: &[(&str, u32)]) -> Call {
    let measure = |&(quantity, amount): &(&str, u32)| Measure {
        quantity: quantity.into(),
        amount: Decimal::from(amount),
    };
    Call {
        provider: provider.into(),
        model: (!model.is_empty()).then(|| model.into()),
        usage: usage.iter().map(measure).collect(),
        at: JULY_2026,
        facts: Vec::new(),
    }
}

/// A usage for comparing: `input_tokens 5, output_tokens 7`.
fn listed(usage: &[Measure]) -> String {
    let measures = usage.iter().map(|it| format!("{} {}", it.quantity, it.amount));
    measures.collect::<Vec<_>>().join(", ")
}

/// A quote for comparing: `input_tokens 5 × 0.1 = 0.5 input; …`.
fn bill(quote: &Quote) -> String {
    let charges = quote.charges.iter().map(|it| {
        format!("{} {} × {} = {} {}", it.quantity, it.amount, it.unit_price, it.cost, it.side)
    });
    charges.collect::<Vec<_>>().join("; ")
}
