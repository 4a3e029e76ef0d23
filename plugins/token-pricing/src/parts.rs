//! What a usage states of parts and totals: no part is larger than what contains it.

use std::collections::BTreeMap;

use tollgate_plugin::pricing::Failure;
use tollgate_plugin::{Decimal, Measure};

use crate::quantity::{self, Dimensions};

/// Totals with parts that do not overlap, as in the OpenTelemetry GenAI conventions: together they
/// are at most their total, which is nothing where it is not stated.
pub(crate) const TOTALS: [(&str, &[&str]); 2] = [
    ("input_tokens", &["cache_read_tokens", "cache_write_tokens"]),
    ("output_tokens", &["output_reasoning_tokens"]),
];

/// What is said of a total and of the parts that it has no room for.
pub(crate) fn no_room(part: &str, total: &str, amount: Decimal) -> Failure {
    Failure::invalid_usage(format!(
        "{part} is part of {total} ({amount}), which has no room for it"
    ))
}

/// Whether the usage states nothing but calls, totals and the parts that everybody reports.
pub(crate) fn are_usual(usage: &[Measure]) -> bool {
    usage.iter().all(|measure| is_usual(&measure.quantity))
}

fn is_usual(quantity: &str) -> bool {
    quantity == "calls"
        || TOTALS.iter().any(|(total, parts)| *total == quantity || parts.contains(&quantity))
}

/// Whether nothing that the usage states can be part of anything.
pub(crate) fn are_none(usage: &[Measure], named: &BTreeMap<String, Dimensions>) -> bool {
    let is_whole = |quantity: &str| {
        quantity == "calls"
            || TOTALS.iter().any(|(total, _)| *total == quantity)
            || quantity::UNITS_OF_A_CALL.contains(&quantity)
    };
    let told_otherwise = |quantity: &String| named.contains_key(quantity);
    usage.iter().all(|it| is_whole(&it.quantity) && !told_otherwise(&it.quantity))
}

/// Checks the parts that everybody reports.
pub(crate) fn check_usual(usage: &[Measure]) -> Result<(), Failure> {
    for (total, parts) in TOTALS {
        let mut rest = None;
        for part in parts {
            let Some(amount) = amount(usage, part) else { continue };
            let whole = amount_or_zero(usage, total);
            let left = rest.unwrap_or(whole).minus(amount)?;
            if left.is_negative() {
                return Err(no_room(&format!("{part} ({amount})"), total, whole));
            }
            rest = Some(left);
        }
    }
    Ok(())
}

/// Checks every stated quantity against every stated one that contains it, whether or not they have
/// rates. `named` are the quantities whose names do not tell their dimensions.
pub(crate) fn check_all(
    usage: &[Measure],
    named: &BTreeMap<String, Dimensions>,
) -> Result<(), Failure> {
    let dimensions = |measure: &Measure| {
        let told = named.get(&measure.quantity).cloned();
        told.unwrap_or_else(|| quantity::dimensions(&measure.quantity))
    };
    let stated: Vec<_> = usage.iter().map(|measure| (dimensions(measure), measure)).collect();
    for (whole, total) in &stated {
        for (of_part, part) in &stated {
            if part.amount > total.amount && quantity::contains(whole, of_part) {
                let shown = format!("{} ({})", part.quantity, part.amount);
                return Err(no_room(&shown, &total.quantity, total.amount));
            }
        }
    }
    Ok(())
}

/// The least that a total comes to whose stated parts are these.
pub(crate) fn least(
    total: &str,
    usage: &[Measure],
    named: &BTreeMap<String, Dimensions>,
) -> Decimal {
    let whole = quantity::dimensions(total);
    let is_part = |measure: &&Measure| match named.get(&measure.quantity) {
        Some(told) => quantity::contains(&whole, told),
        None => quantity::contains(&whole, &quantity::dimensions(&measure.quantity)),
    };
    usage.iter().filter(is_part).map(|part| part.amount).max().unwrap_or_default()
}

fn amount(usage: &[Measure], quantity: &str) -> Option<Decimal> {
    usage.iter().find(|measure| measure.quantity == quantity).map(|measure| measure.amount)
}

fn amount_or_zero(usage: &[Measure], quantity: &str) -> Decimal {
    amount(usage, quantity).unwrap_or_default()
}
