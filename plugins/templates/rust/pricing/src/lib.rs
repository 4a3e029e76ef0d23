//! A flat price for each call to some providers.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_plugin::pricing::{Charge, Failure, Listing, Quote, Rate};
use tollgate_plugin::{Call, Decimal, Description, JsonSchema, Pointer, Policy, Problem, Problems};
use tollgate_plugin::{PricingPolicy, export_pricing};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct FlatPrices {
    /// What a call to a provider costs, in USD.
    prices: BTreeMap<String, Decimal>,
}

export_pricing!(FlatPrices);

impl Policy for FlatPrices {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let at = Pointer::root().to("prices");
        problems.unless(
            !config.prices.is_empty(),
            &at,
            "at least one price is needed",
        );
        for (provider, price) in &config.prices {
            problems.unless(
                !price.is_negative(),
                &at.to(provider),
                "must not be negative",
            );
        }
        problems.into_result().map(|()| config)
    }
}

impl PricingPolicy for FlatPrices {
    fn claims(&self) -> Vec<String> {
        self.prices.keys().cloned().collect()
    }

    fn price(&self, call: &Call) -> Result<Option<Quote>, Failure> {
        let Some(&price) = self.prices.get(&call.provider) else {
            return Ok(None);
        };
        let calls = call.amount("calls").unwrap_or_default();
        let charge = Charge::new("calls", calls, price, "fee")?;
        Ok(Some(Quote {
            entry: call.provider.clone(),
            charges: vec![charge],
        }))
    }

    fn catalog(&self, page: u32) -> Vec<Listing> {
        let prices = self.prices.iter().filter(|_| page == 0);
        let listing = |(provider, price): (&String, &Decimal)| Listing {
            provider: provider.clone(),
            model: String::new(),
            rates: vec![Rate {
                quantity: "calls".into(),
                unit_price: *price,
            }],
            description: String::new(),
            effective_date: String::new(),
        };
        prices.map(listing).collect()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, configure, configure_as_in, problems};

    use super::*;

    #[test]
    fn each_call_costs_the_price() {
        let policy: FlatPrices = configure("prices = { exa = '0.005' }").unwrap();
        let quote = policy
            .price(&call("exa").using("calls", 3))
            .unwrap()
            .unwrap();
        assert_eq!(quote.charges[0].cost.to_string(), "0.015");
        assert_eq!(policy.price(&call("gemini")).unwrap(), None);
    }

    #[test]
    fn a_price_below_zero_is_named() {
        let problem = "/prices/exa: must not be negative";
        assert_eq!(problems::<FlatPrices>("prices = { exa = '-1' }"), [problem]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<FlatPrices>(include_str!("../{{name}}.toml")).is_ok());
    }
}
