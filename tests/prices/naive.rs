//! The open catalogue, priced as simply as can be: another arithmetic than the service's, to be
//! compared with it.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;

/// How much of each unit was used.
pub type Usage = BTreeMap<String, u64>;

/// The catalogue's units: of how many of what a price is, and what they are part of.
pub struct Units(BTreeMap<String, Unit>);

pub struct Unit {
    price_key: String,
    per: Decimal,
    pub dimensions: BTreeSet<(String, String)>,
}

/// What a usage costs.
#[derive(Debug, PartialEq)]
pub struct Bill {
    pub input: Decimal,
    pub output: Decimal,
    pub total: Decimal,
}

impl Units {
    pub fn new(file: &Value) -> Self {
        let unit = |unit: &Value| Unit {
            price_key: unit["price_key"].as_str().unwrap().to_owned(),
            per: decimal(&unit["per"]),
            dimensions: unit["dimensions"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
        };
        let all = file.as_object().unwrap().iter();
        Self(all.map(|(name, it)| (name.clone(), unit(it))).collect())
    }

    pub fn get(&self, name: &str) -> &Unit {
        &self.0[name]
    }

    /// The quantity of which a price is, as the service calls it, and the price of one.
    pub fn of_one(&self, price_key: &str, price: &Decimal) -> (String, Decimal) {
        let (name, unit) = self.0.iter().find(|(_, it)| it.price_key == price_key).unwrap();
        let name = if name == "requests" { "calls" } else { name };
        (name.to_owned(), price / unit.per)
    }

    /// What a usage costs at these prices; `None` where two priced units have a part in common
    /// that has no price: which of the two it belongs to, the catalogue does not say.
    pub fn bill(&self, prices: &Value, usage: &Usage) -> Option<Bill> {
        let is_priced = |unit: &&Unit| prices.get(&unit.price_key).is_some();
        let priced: Vec<_> = self.0.values().filter(is_priced).collect();
        for (a, b) in priced.iter().flat_map(|a| priced.iter().map(move |b| (a, b))) {
            let both: BTreeSet<_> = a.dimensions.union(&b.dimensions).cloned().collect();
            let names: BTreeSet<_> = both.iter().map(|(name, _)| name).collect();
            let is_unit =
                names.len() == both.len() && self.0.values().any(|it| it.dimensions == both);
            if is_unit && !priced.iter().any(|it| it.dimensions == both) {
                return None;
            }
        }
        let input = usage.get("input_tokens").copied().unwrap_or(0);
        let mut bill = Bill { input: Decimal::ZERO, output: Decimal::ZERO, total: Decimal::ZERO };
        for unit in &priced {
            let own = self.left(unit, &priced, usage);
            let price = price_at(&prices[&unit.price_key], input);
            // The service counts in 18 decimals, and takes what is finer as the nearest.
            let cost = Decimal::from(own) * (price / unit.per).round_dp(18);
            bill.total += cost;
            let is = |side: &str| unit.dimensions.contains(&("direction".into(), side.into()));
            if is("input") {
                bill.input += cost;
            } else if is("output") {
                bill.output += cost;
            }
        }
        Some(bill)
    }

    /// What is left of a unit when everything is taken out that is priced for itself.
    fn left(&self, unit: &Unit, priced: &[&Unit], usage: &Usage) -> i128 {
        let name = self.0.iter().find(|(_, it)| std::ptr::eq(*it, unit)).unwrap().0;
        let unstated = if name == "requests" { 1 } else { 0 };
        let Some(stated) = usage.get(name) else { return unstated };
        let is_part = |other: &&&Unit| {
            other.dimensions.len() > unit.dimensions.len()
                && unit.dimensions.is_subset(&other.dimensions)
        };
        let parts = priced.iter().filter(is_part).map(|part| self.left(part, priced, usage));
        i128::from(*stated) - parts.sum::<i128>()
    }
}

/// The price when so many tokens go in: past a threshold, the higher one holds for all.
fn price_at(price: &Value, input: u64) -> Decimal {
    let Some(base) = price.get("base") else { return decimal(price) };
    let tiers = price["tiers"].as_array().unwrap().iter();
    let reached = tiers.filter(|tier| input > tier["start"].as_u64().unwrap());
    let highest = reached.max_by_key(|tier| tier["start"].as_u64().unwrap());
    highest.map_or_else(|| decimal(base), |tier| decimal(&tier["price"]))
}

fn decimal(number: &Value) -> Decimal {
    let text = number.to_string();
    text.parse().or_else(|_| Decimal::from_scientific(&text)).unwrap()
}

/// The prices of a model at noon of a day in UTC: of those that hold, the last in the list.
pub fn prices_at_noon<'m>(model: &'m Value, day: &str) -> &'m Value {
    let Some(list) = model["prices"].as_array() else { return &model["prices"] };
    let holds = |conditional: &&Value| {
        let constraint = &conditional["constraint"];
        let text = |name: &str| constraint[name].as_str().map(|it| it.trim_end_matches('Z'));
        let (from, to) = (text("start_time"), text("end_time"));
        let in_hours = match (from, to) {
            (Some(from), Some(to)) if from <= to => from <= "12:00:00" && "12:00:00" < to,
            (Some(from), Some(to)) => from <= "12:00:00" || "12:00:00" < to,
            _ => true,
        };
        in_hours && text("start_date").is_none_or(|date| date <= day)
    };
    &list.iter().rfind(holds).unwrap()["prices"]
}

/// Whether a name meets a condition; `None` where that hangs on a regular expression, of which
/// nothing is known here.
pub fn is_met(condition: &Value, name: &str) -> Option<bool> {
    let (kind, value) = condition.as_object().unwrap().iter().next().unwrap();
    if let Some(list) = value.as_array() {
        let all: Vec<_> = list.iter().map(|it| is_met(it, name)).collect();
        let decides = kind == "or";
        return match all.contains(&Some(decides)) {
            true => Some(decides),
            false if all.contains(&None) => None,
            false => Some(!decides),
        };
    }
    let text = value.as_str().unwrap().to_lowercase();
    match kind.as_str() {
        "equals" => Some(name == text),
        "starts_with" => Some(name.starts_with(&text)),
        "ends_with" => Some(name.ends_with(&text)),
        "contains" => Some(name.contains(&text)),
        _ => None,
    }
}

/// The model of a provider that a name is: the first whose condition it meets. `Err` where that is
/// not known here.
pub fn model_of<'p>(provider: &'p Value, name: &str) -> Result<Option<&'p Value>, ()> {
    for model in provider["models"].as_array().unwrap() {
        match is_met(&model["match"], &name.to_lowercase()) {
            Some(true) => return Ok(Some(model)),
            Some(false) => {}
            None => return Err(()),
        }
    }
    Ok(None)
}

/// What an extractor finds in an answer; `None` where something is missing that must be there, or
/// nothing is reported at all.
pub fn usage_in(extractor: &Value, answer: &Value) -> Option<Usage> {
    let mut usage = Usage::new();
    let root = found(answer, &extractor["root"]);
    for mapping in extractor["mappings"].as_array().unwrap() {
        let amount = root.and_then(|root| found(root, &mapping["path"])).and_then(Value::as_u64);
        match amount {
            Some(amount) => {
                *usage.entry(mapping["dest"].as_str().unwrap().to_owned()).or_default() += amount;
            }
            None if mapping["required"] == true => return None,
            None => {}
        }
    }
    (!usage.is_empty()).then_some(usage)
}

fn found<'a>(answer: &'a Value, path: &Value) -> Option<&'a Value> {
    let one = [path.clone()];
    let steps = path.as_array().map_or(&one[..], Vec::as_slice);
    steps.iter().try_fold(answer, |value, step| match step.as_str() {
        Some(name) => value.get(name),
        None => {
            let (field, wanted) = (step["field"].as_str()?, &step["match"]["equals"]);
            value.as_array()?.iter().find(|item| item[field] == *wanted)
        }
    })
}
