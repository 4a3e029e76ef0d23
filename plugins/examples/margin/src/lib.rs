//! What the provider takes, and a margin on top.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_plugin::pricing::{Charge, Estimation, Failure, Listing, Quote, Rate};
use tollgate_plugin::{Call, Decimal, Description, Inexact, JsonSchema, Measure, Pointer, Policy};
use tollgate_plugin::{PricingPolicy, Problem, Problems, export_pricing};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Config {
    /// On top of every price, in percent of it.
    margin_percent: Decimal,
    /// Provider, then model, then quantity: what a million of it costs at the provider, in USD.
    per_million: BTreeMap<String, BTreeMap<String, BTreeMap<String, Decimal>>>,
}

/// Provider, then model, then quantity: what one costs here.
struct Margin(BTreeMap<String, BTreeMap<String, BTreeMap<String, Decimal>>>);

export_pricing!(Margin);

impl Policy for Margin {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).config::<Config>()
    }

    fn new(Config { margin_percent, mut per_million }: Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let root = Pointer::root();
        let right = !margin_percent.is_negative();
        problems.unless(right, &root.to("margin_percent"), "must not be negative");
        let factor = margin_percent.plus(100.into());
        for (provider, models) in &mut per_million {
            for (model, rates) in models {
                for (quantity, price) in rates {
                    let at = root.to("per_million").to(provider).to(model).to(quantity);
                    problems.unless(!price.is_negative(), &at, "must not be negative");
                    match factor.and_then(|factor| of_one(*price, factor)) {
                        Ok(unit_price) => *price = unit_price,
                        Err(inexact) => problems.unless(false, &at, inexact.to_string()),
                    }
                }
            }
        }
        problems.into_result().map(|()| Self(per_million))
    }
}

/// What one costs where a million cost `price`, with so many percent of it.
fn of_one(price: Decimal, percent: Decimal) -> Result<Decimal, Inexact> {
    price.times(percent)?.shifted_right(2 + 6)
}

impl PricingPolicy for Margin {
    fn claims(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn price(&self, call: &Call) -> Result<Option<Quote>, Failure> {
        let Some(model) = &call.model else { return Ok(None) };
        let Some(rates) = self.0.get(&call.provider).and_then(|models| models.get(model)) else {
            return Ok(None);
        };
        let used = call.usage.iter().filter_map(|measure| {
            let unit_price = *rates.get(&measure.quantity)?;
            let side = if measure.quantity.starts_with("output") { "output" } else { "input" };
            Some(Charge::new(&measure.quantity, measure.amount, unit_price, side))
        });
        let charges = used.collect::<Result<_, _>>()?;
        Ok(Some(Quote { entry: model.clone(), charges }))
    }

    /// The caller's bound on output is what the output may come to.
    fn estimate(
        &self,
        call: &Call,
        max_tokens: Option<u32>,
    ) -> Result<Option<Estimation>, Failure> {
        let mut call = call.clone();
        if let (None, Some(max)) = (call.amount("output_tokens"), max_tokens) {
            call.usage.push(Measure { quantity: "output_tokens".into(), amount: max.into() });
        }
        let quote = self.price(&call)?;
        Ok(quote.map(|quote| Estimation { usage: call.usage, quote: Some(quote) }))
    }

    fn catalog(&self, page: u32) -> Vec<Listing> {
        let models = self.0.iter().filter(|_| page == 0).flat_map(|(provider, models)| {
            models.iter().map(move |(model, rates)| (provider, model, rates))
        });
        let listing = |(provider, model, rates): (&String, &String, &BTreeMap<String, Decimal>)| {
            let rate = |(quantity, price): (&String, &Decimal)| Rate {
                quantity: quantity.clone(),
                unit_price: *price,
            };
            Listing {
                provider: provider.clone(),
                model: model.clone(),
                rates: rates.iter().map(rate).collect(),
                description: String::new(),
                effective_date: String::new(),
            }
        };
        models.map(listing).collect()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, configure, configure_as_in, problems};

    use super::*;

    const CONFIG: &str = "margin_percent = '12.5'\nper_million.x.m = { input_tokens = '0.10' }";

    #[test]
    fn the_margin_is_on_top_of_every_unit() {
        let policy: Margin = configure(CONFIG).unwrap_or_else(|problems| panic!("{problems:?}"));
        let call = call("x").with_model("m").using("input_tokens", 1_000_000).using("calls", 1);
        let quote = policy.price(&call).expect("a price").expect("a price");
        let costs: Vec<_> = quote.charges.iter().map(|charge| charge.cost.to_string()).collect();
        assert_eq!(costs, ["0.1125"]);
    }

    #[test]
    fn what_nobody_listed_is_not_priced() {
        let policy: Margin = configure(CONFIG).unwrap_or_else(|problems| panic!("{problems:?}"));
        for call in [call("y").with_model("m"), call("x").with_model("n"), call("x")] {
            assert_eq!(policy.price(&call), Ok(None));
        }
    }

    #[test]
    fn a_price_that_cannot_be_is_named() {
        let config = "margin_percent = 1\nper_million.x.'a/b' = { calls = '-1' }";
        let problem = "/per_million/x/a~1b/calls: must not be negative";
        assert_eq!(problems::<Margin>(config), [problem]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<Margin>(include_str!("../margin.toml")).is_ok());
    }
}
