//! What a usage costs at given rates.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tollgate_plugin::pricing::{Bound, CallRate, Charge, CodedCharge, Failure, Line};
use tollgate_plugin::{Call, Decimal, Measure};

use crate::config::{self, Tables, Tier};
use crate::parts::{self, TOTALS, no_room};
use crate::quantity::{self, Dimensions, UNITS_OF_A_CALL};

/// The rates that hold together, ready for pricing.
#[derive(Clone)]
pub(crate) struct Rates {
    layout: Arc<Layout>,
    /// The price of one of each quantity of the layout.
    prices: Vec<Decimal>,
    /// The input tokens above which other prices hold, the highest first.
    tiers: Vec<(Decimal, Vec<Decimal>)>,
}

/// Which quantities are rated, and how they contain each other: the same for most models.
struct Layout {
    /// Parts before what contains them.
    rated: Vec<Rated>,
    counts_tokens: bool,
    /// What a call is one of, unless its usage says.
    unit_of_a_call: Option<&'static str>,
    /// The quantities that the catalogue tells the dimensions of.
    named: Arc<BTreeMap<String, Dimensions>>,
}

struct Rated {
    /// Its position among all lines that bills have.
    line: u32,
    quantity: String,
    side: &'static str,
    /// The parts of this quantity that are rated for themselves, by position.
    parts: Vec<usize>,
    /// Where this is what belongs to two rated quantities and has no rate: the other one, at whose
    /// rate it stays.
    stays_with: Option<usize>,
}

/// What stands on bills, each once.
#[derive(Default)]
pub(crate) struct Lines {
    list: Vec<Line>,
    known: HashMap<String, u32>,
}

impl Lines {
    /// The position of a quantity's line. The side follows from the quantity, but for one whose
    /// dimensions several catalogues tell otherwise.
    fn position(&mut self, quantity: &str, side: &str) -> u32 {
        let key = format!("{side} {quantity}");
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let list = &mut self.list;
        *self.known.entry(key).or_insert_with(|| {
            list.push(Line { quantity: quantity.into(), side: side.into() });
            next
        })
    }

    pub(crate) fn into_list(self) -> Vec<Line> {
        self.list
    }
}

/// The layouts that a catalogue needs, each made once.
pub(crate) struct Layouts<'c, 'l> {
    lines: &'l mut Lines,
    named: Arc<BTreeMap<String, Dimensions>>,
    known: HashMap<Vec<&'c str>, Arc<Layout>>,
}

impl<'c, 'l> Layouts<'c, 'l> {
    /// `named` are the quantities that the catalogue tells the dimensions of.
    pub(crate) fn new(named: &BTreeMap<String, Dimensions>, lines: &'l mut Lines) -> Self {
        Self { lines, named: Arc::new(named.clone()), known: HashMap::new() }
    }

    fn of(&mut self, mut quantities: Vec<&'c str>) -> Arc<Layout> {
        quantities.sort_unstable();
        if let Some(layout) = self.known.get(&quantities) {
            return layout.clone();
        }
        let layout = Arc::new(Layout::new(&quantities, self.named.clone(), self.lines));
        self.known.insert(quantities, layout.clone());
        layout
    }
}

impl Layout {
    fn new(
        quantities: &[&str],
        named: Arc<BTreeMap<String, Dimensions>>,
        lines: &mut Lines,
    ) -> Self {
        let mut list: Vec<(Dimensions, Rated)> = quantities
            .iter()
            .map(|name| {
                let told = named.get(*name).cloned();
                let dimensions = told.unwrap_or_else(|| quantity::dimensions(name));
                let side = quantity::side(&dimensions);
                let quantity = (*name).to_owned();
                let line = lines.position(name, side);
                (dimensions, Rated { line, quantity, side, parts: Vec::new(), stays_with: None })
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
        let rated = list.into_iter().map(|(_, rated)| rated).collect();
        Self { rated, counts_tokens, unit_of_a_call, named }
    }

    /// Finds parts that are larger than their totals, other than in the rests of what is rated.
    fn check(&self, usage: &[Measure]) -> Result<(), Failure> {
        parts::check_usual(usage)?;
        let is_rated = |measure: &Measure| {
            measure.quantity == "calls"
                || self.rated.iter().any(|rated| rated.quantity == measure.quantity)
        };
        match parts::are_usual(usage) || usage.iter().all(is_rated) {
            true => Ok(()),
            false => parts::check_all(usage, &self.named),
        }
    }

    /// `prices`, with those of `rates` in place of what they name.
    fn prices<'r>(
        &self,
        mut prices: Vec<Decimal>,
        rates: impl Iterator<Item = (&'r str, Decimal)>,
    ) -> Vec<Decimal> {
        for (name, unit_price) in rates {
            let position = self.rated.iter().position(|rated| rated.quantity == name);
            if let Some(price) = position.and_then(|i| prices.get_mut(i)) {
                *price = unit_price;
            }
        }
        prices
    }
}

impl Rates {
    pub(crate) fn new<'c>(
        tables: Tables<'c>,
        tiers: &[Tier],
        layouts: &mut Layouts<'c, '_>,
    ) -> Self {
        let layout = layouts.of(config::rates(tables).map(|(name, _)| name).collect());
        let none = vec![Decimal::ZERO; layout.rated.len()];
        let prices = layout.prices(none, config::rates(tables));
        let mut sorted: Vec<&Tier> = tiers.iter().collect();
        sorted.sort_by_key(|tier| tier.above);
        let mut list: Vec<(Decimal, Vec<Decimal>)> = Vec::with_capacity(tiers.len());
        for tier in sorted {
            // A tier says only what it changes: the rest is as in the tier below.
            let below = list.last().map_or(&prices, |(_, prices)| prices).clone();
            let above = tier.above.to_string().parse().unwrap_or_default();
            list.push((above, layout.prices(below, config::rates(tier.tables()))));
        }
        list.reverse();
        Self { layout, prices, tiers: list }
    }

    /// Whether a call states enough of its usage to say what it costs.
    pub(crate) fn are_told_by(&self, call: &Call) -> bool {
        !self.layout.counts_tokens || TOTALS.iter().any(|(total, _)| call.amount(total).is_some())
    }

    /// Prices the most specific part that has a rate, and the rest at the rate of its total. What
    /// has no rate is free.
    pub(crate) fn charges(&self, call: &Call) -> Result<Vec<Charge>, Failure> {
        let mut charges = Vec::with_capacity(self.prices.len());
        self.each(call, |rated, amount, unit_price| {
            charges.push(Charge::new(&rated.quantity, amount, unit_price, rated.side)?);
            Ok(())
        })?;
        Ok(charges)
    }

    /// The same in numbers.
    pub(crate) fn coded_charges(&self, call: &Call) -> Result<Vec<CodedCharge>, Failure> {
        let mut charges = Vec::with_capacity(self.prices.len());
        self.each(call, |rated, amount, unit_price| {
            // What it costs must be exact, though nobody is told here.
            amount.times(unit_price)?;
            charges.push(CodedCharge { line: rated.line, amount, unit_price });
            Ok(())
        })?;
        Ok(charges)
    }

    /// What the charges come to.
    pub(crate) fn cost(&self, call: &Call) -> Result<Decimal, Failure> {
        let mut cost = Decimal::ZERO;
        self.each(call, |_, amount, unit_price| {
            cost = cost.plus(amount.times(unit_price)?)?;
            Ok(())
        })?;
        Ok(cost)
    }

    /// What each quantity costs that a call states, where none that it states is part of another,
    /// and for how much of them that holds; `None` where too little is stated to say what it costs.
    pub(crate) fn of_each(&self, call: &Call) -> Option<(Vec<CallRate>, Vec<Bound>)> {
        if !self.are_told_by(call) {
            return None;
        }
        let rated = self.layout.rated.iter().zip(&self.prices);
        let rates = rated.filter_map(|(rated, unit_price)| {
            let quantity = match call.amount(&rated.quantity) {
                None if self.layout.unit_of_a_call == Some(&rated.quantity) => "calls",
                _ => &rated.quantity,
            };
            call.amount(quantity).filter(|_| rated.stays_with.is_none())?;
            Some(CallRate {
                quantity: quantity.into(),
                charged_as: rated.quantity.clone(),
                side: rated.side.into(),
                unit_price: *unit_price,
            })
        });
        // Past the first threshold others hold: there the policy is asked.
        let first = self.tiers.last().map(|(above, _)| *above);
        let bound = first.map(|at_most| Bound { quantity: "input_tokens".into(), at_most });
        Some((rates.collect(), bound.into_iter().collect()))
    }

    fn each(
        &self,
        call: &Call,
        mut charge: impl FnMut(&Rated, Decimal, Decimal) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.layout.check(&call.usage)?;
        let prices = self.prices_for(call);
        let mut rests: Vec<Decimal> = Vec::with_capacity(prices.len());
        for (rated, unit_price) in self.layout.rated.iter().zip(prices) {
            let rest = self.rest(rated, call, &rests)?;
            rests.push(rest);
            if !rest.is_zero() && rated.stays_with.is_none() {
                charge(rated, rest, *unit_price)?;
            }
        }
        Ok(())
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

    fn prices_for(&self, call: &Call) -> &[Decimal] {
        if self.tiers.is_empty() {
            return &self.prices;
        }
        let input = call.amount("input_tokens").unwrap_or_default();
        let reached = self.tiers.iter().find(|(above, _)| input > *above);
        reached.map_or(&self.prices, |(_, prices)| prices)
    }

    fn amount(&self, call: &Call, quantity: &str) -> Option<Decimal> {
        match call.amount(quantity) {
            None if self.layout.unit_of_a_call == Some(quantity) => call.amount("calls"),
            stated => stated,
        }
    }

    fn part_too_large(&self, total: &Rated, amount: Decimal, call: &Call) -> Failure {
        let stated = |part: &&usize| {
            let name = &self.layout.rated.get(**part)?.quantity;
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
            // It has no line of its own.
            let (line, side, parts) = (with.line, with.side, Vec::new());
            let rated = Rated { line, quantity: name, side, parts, stays_with: Some(i) };
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
