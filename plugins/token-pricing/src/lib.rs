//! The price lists of a manifest, and where providers report what was used.

mod answer;
mod book;
mod config;
mod date;
mod entry;
mod extract;
mod quantity;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use book::Book;
use config::{Config, Extractor};
use tollgate_plugin::pricing::{Estimation, Extraction, Failure, Listing, Quote};
use tollgate_plugin::{Call, Description, Measure, Policy, PricingPolicy, Problem, export_pricing};

const PAGE: usize = 200;

/// A price list and its extractors.
struct TokenPricing {
    book: Book,
    listings: Vec<Listing>,
    extractors: Vec<Extractor>,
}

export_pricing!(TokenPricing);

impl Policy for TokenPricing {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    }

    fn new(config: Config) -> Result<Self, Vec<Problem>> {
        config::check(&config)?;
        Ok(Self {
            book: Book::new(&config.prices),
            listings: config.prices.iter().map(entry::listing).collect(),
            extractors: config.extractors,
        })
    }
}

impl PricingPolicy for TokenPricing {
    fn claims(&self) -> Vec<String> {
        self.book.providers().cloned().collect()
    }

    fn price(&self, call: &Call) -> Result<Option<Quote>, Failure> {
        let entry = self.book.find(&call.provider, call.model.as_deref(), call.at);
        entry.map(|entry| entry.quote(call)).transpose()
    }

    /// A caller's bound on output is what the output may come to. Tokens that nobody speaks of are
    /// unknown, and not none.
    fn estimate(
        &self,
        call: &Call,
        max_tokens: Option<u32>,
    ) -> Result<Option<Estimation>, Failure> {
        let entry = self.book.find(&call.provider, call.model.as_deref(), call.at);
        let Some(entry) = entry else { return Ok(None) };
        let (mut call, mut filled_in) = (Cow::Borrowed(call), Vec::new());
        if let (None, Some(max)) = (call.amount("output_tokens"), max_tokens) {
            let output = Measure { quantity: "output_tokens".into(), amount: max.into() };
            call.to_mut().usage.push(output.clone());
            filled_in.push(output);
        }
        let cost = entry.is_told_by(&call).then(|| entry.cost(&call)).transpose()?;
        Ok(Some(Estimation { filled_in, cost }))
    }

    fn extract(
        &self,
        provider: &str,
        flavor: &str,
        response: &str,
    ) -> Result<Option<Extraction>, Failure> {
        let extractor = self.extractors.iter().find(|extractor| {
            extractor.provider == provider && extractor.flavors.iter().any(|it| it == flavor)
        });
        extractor.map(|extractor| extractor.extract(response)).transpose()
    }

    fn catalog(&self, page: u32) -> Vec<Listing> {
        self.listings.iter().skip(page as usize * PAGE).take(PAGE).cloned().collect()
    }
}
