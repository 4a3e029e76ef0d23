//! What a usage costs at given rates.

use std::collections::BTreeMap;

use tollgate_plugin::pricing::{Charge, Failure};
use tollgate_plugin::{Call, Decimal};

use crate::config::{self, Tables, Tier};
use crate::quantity::{self, Dimensions, TOTALS, UNITS_OF_A_CALL};

/// The rates that hold together, ready for pricing.
pub(crate) struct Rates {
    /// Parts before what contains them.
    rated: Vec<Rated>,
    /// The input tokens above which other prices hold, the highest first, with the price of one
    /// of each of `rated`.
    tiers: Vec<(Decimal, Vec<Decimal>)>,
    counts_tokens: bool,
    /// What a call is one of, unless its usage says.
    unit_of_a_call: Option<&'static str>,
}

struct Rated {
    quantity: String,
    unit_price: Decimal,
    side: &'static str,
    /// The parts of this quantity that are rated for themselves, by position.
    parts: Vec<usize>,
    /// Where this is what belongs to two rated quantities and has no rate: the other one, at whose
    /// rate it stays.
    stays_with: Option<usize>,
}

impl Rates {
    pub(crate) fn new(
        tables: Tables<'_>,
        tiers: &[Tier],
        named: &BTreeMap<String, Dimensions>,
    ) -> Self {
        let dimensions = |name: &str| {
            named.get(name).cloned().unwrap_or_else(|| quantity::dimensions(name))
        };
        let mut list: Vec<(Dimensions, Rated)> = config::rates(tables)
            .map(|(name, unit_price)| {
                let dimensions = dimensions(name);
                let side = quantity::side(&dimensions);
                let (quantity, parts) = (name.to_owned(), Vec::new());
                (dimensions, Rated { quantity, unit_price, side, parts, stays_with: None })
            })
            .collect();
        // The most specific first, so that a part is known when its total is reached.
        list.sort_by(|(a, left), (b, right)| {
            b.len().cmp(&a.len()).then_with(|| left.quantity.cmp(&right.quantity))
        });
        let counts_tokens = list.iter().any(|(_, rated)| rated.side != "fee");
        let is_rated = |unit: &&str| list.iter().any(|(_, rated)| rated.quantity == *unit);
        let unit_of_a_call = UNITS_OF_A_CALL.into_iter().find(is_rated).filter(|_| !counts_tokens);
        add_overlaps(&mut list);
        link(&mut list);
        let rated: Vec<_> = list.into_iter().map(|(_, rated)| rated).collect();
        Self { tiers: tier_prices(&rated, tiers), rated, counts_tokens, unit_of_a_call }
    }

    /// Whether a call states enough of its usage to say what it costs.
    pub(crate) fn are_told_by(&self, call: &Call) -> bool {
        !self.counts_tokens || TOTALS.iter().any(|(total, _)| call.amount(total).is_some())
    }

    /// Prices the most specific part that has a rate, and the rest at the rate of its total. What
    /// has no rate is free.
    pub(crate) fn charges(&self, call: &Call) -> Result<Vec<Charge>, Failure> {
        check_totals(call)?;
        let tier = self.tier(call);
        let mut charges = Vec::with_capacity(self.rated.len());
        let mut rests: Vec<Decimal> = Vec::with_capacity(self.rated.len());
        for (i, rated) in self.rated.iter().enumerate() {
            let rest = self.rest(rated, call, &rests)?;
            rests.push(rest);
            if rest.is_zero() || rated.stays_with.is_some() {
                continue;
            }
            let unit_price = tier.and_then(|prices| prices.get(i)).copied();
            let unit_price = unit_price.unwrap_or(rated.unit_price);
            charges.push(Charge::new(&rated.quantity, rest, unit_price, rated.side)?);
        }
        Ok(charges)
    }

    /// What is left of a quantity without the parts that are rated for themselves. A quantity that
    /// is not stated is the sum of its parts.
    fn rest(&self, rated: &Rated, call: &Call, rests: &[Decimal]) -> Result<Decimal, Failure> {
        let Some(stated) = self.amount(call, &rated.quantity) else { return Ok(Decimal::ZERO) };
        let mut rest = stated;
        for part in &rated.parts {
            rest = rest.minus(rests.get(*part).copied().unwrap_or_default())?;
        }
        if rest.is_negative() {
            return Err(self.part_too_large(rated, stated, call));
        }
        Ok(rest)
    }

    fn tier(&self, call: &Call) -> Option<&Vec<Decimal>> {
        if self.tiers.is_empty() {
            return None;
        }
        let input = call.amount("input_tokens").unwrap_or_default();
        let reached = self.tiers.iter().find(|(above, _)| input > *above);
        reached.map(|(_, prices)| prices)
    }

    fn amount(&self, call: &Call, quantity: &str) -> Option<Decimal> {
        match call.amount(quantity) {
            None if self.unit_of_a_call == Some(quantity) => call.amount("calls"),
            stated => stated,
        }
    }

    fn part_too_large(&self, total: &Rated, amount: Decimal, call: &Call) -> Failure {
        let stated = |part: &&usize| {
            let name = &self.rated.get(**part)?.quantity;
            Some((name.as_str(), call.amount(name)?))
        };
        let parts: Vec<_> = total.parts.iter().filter_map(|part| stated(&part)).collect();
        let parts: Vec<_> = match parts.iter().find(|(_, part)| *part > amount) {
            Some(part) => vec![*part],
            None => parts,
        };
        let parts = parts.iter().map(|(name, amount)| format!("{name} ({amount})"));
        no_room(&parts.collect::<Vec<_>>().join(" with "), &total.quantity, amount)
    }
}

fn no_room(part: &str, total: &str, amount: Decimal) -> Failure {
    Failure::invalid_usage(format!(
        "{part} is part of {total} ({amount}), which has no room for it"
    ))
}

/// Parts of one total do not overlap, so that together they are at most their total.
fn check_totals(call: &Call) -> Result<(), Failure> {
    for (total, parts) in TOTALS {
        let mut rest = None;
        for part in parts {
            let Some(amount) = call.amount(part) else { continue };
            let whole = call.amount(total).unwrap_or_default();
            let left = rest.unwrap_or(whole).minus(amount)?;
            if left.is_negative() {
                return Err(no_room(&format!("{part} ({amount})"), total, whole));
            }
            rest = Some(left);
        }
    }
    Ok(())
}

/// What belongs to two rated quantities, neither of which contains the other, and has no rate:
/// cached audio, say, where cached and audio tokens are rated. It is priced once: at the rate of
/// the one whose name comes first.
fn add_overlaps(list: &mut Vec<(Dimensions, Rated)>) {
    let mut overlaps: Vec<(Dimensions, Rated)> = Vec::new();
    for (i, (first, with)) in list.iter().enumerate() {
        for (second, _) in list.iter().skip(i + 1) {
            if quantity::contains(first, second) || quantity::contains(second, first) {
                continue;
            }
            let Some(both) = quantity::overlap(first, second) else { continue };
            let known = list.iter().chain(&overlaps).any(|(dimensions, _)| *dimensions == both);
            let Some(name) = quantity::name_of_tokens(&both).filter(|_| !known) else { continue };
            let rated = Rated {
                quantity: name,
                unit_price: with.unit_price,
                side: with.side,
                parts: Vec::new(),
                stays_with: Some(i),
            };
            overlaps.push((both, rated));
        }
    }
    let added = overlaps.len();
    for (_, rated) in &mut overlaps {
        rated.stays_with = rated.stays_with.map(|with| with + added);
    }
    // They have more dimensions than either of the two; among themselves they may contain others.
    overlaps.sort_by_key(|(dimensions, _)| std::cmp::Reverse(dimensions.len()));
    list.splice(0..0, overlaps);
}

/// Notes for each quantity which of those before it are its parts.
fn link(list: &mut [(Dimensions, Rated)]) {
    for i in 0..list.len() {
        let parts = (0..list.len()).filter(|j| {
            let (part, of_part) = &list[*j];
            let stays_here = |with: usize| {
                // What stays with one of two is in the rest of that one, and of what contains it.
                with == i || quantity::contains(&list[i].0, &list[with].0)
            };
            quantity::contains(&list[i].0, part) && !of_part.stays_with.is_some_and(stays_here)
        });
        list[i].1.parts = parts.collect();
    }
}

/// A tier says only what it changes: the rest is as in the tier below.
fn tier_prices(rated: &[Rated], tiers: &[Tier]) -> Vec<(Decimal, Vec<Decimal>)> {
    let mut prices: Vec<_> = rated.iter().map(|rated| rated.unit_price).collect();
    let mut sorted: Vec<&Tier> = tiers.iter().collect();
    sorted.sort_by_key(|tier| tier.above);
    let mut list = Vec::new();
    for tier in sorted {
        for (name, unit_price) in config::rates(tier.tables()) {
            let of_it = |(i, rated): (usize, &Rated)| (rated.quantity == name).then_some(i);
            if let Some(i) = rated.iter().enumerate().find_map(of_it) {
                prices[i] = unit_price;
            }
        }
        let above = tier.above.to_string().parse().unwrap_or_default();
        list.push((above, prices.clone()));
    }
    list.reverse();
    list
}
