//! Price lists, and where providers report what was used.

mod answer;
mod book;
mod check;
mod config;
mod date;
mod entry;
mod estimate;
mod extract;
mod hash;
mod hours;
mod matching;
mod parts;
mod path;
mod quantity;
mod rates;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use book::Book;
use config::{Config, Estimates};
use entry::{Lasting, Model};
use extract::Extractor;
use quantity::Dimensions;
use rates::{Layouts, Lines, Rates};
use tollgate_plugin::pricing::{
    CallRates, CodedQuote, Estimation, Extraction, Failure, Guess, Line, Listing, Quote, Terms,
};
use tollgate_plugin::{
    Call, Decimal, Description, Measure, Pointer, Policy, PricingPolicy, Problem, Problems,
    export_pricing,
};

const PAGE: usize = 200;

/// Names are short.
const ENTRIES_PAGE: usize = 1_000;

/// The entry's name for what a call costs that no entry prices, where the manifest says.
const FALLBACK: &str = "fallback";

/// Price lists and their extractors.
struct TokenPricing {
    book: Book,
    /// What stands on bills.
    lines: Vec<Line>,
    listings: Vec<Listing>,
    /// What there is to say of them besides, page by page.
    terms: Vec<Vec<Terms>>,
    extractors: Vec<Extractor>,
    /// For each provider that goes by another's name, the other.
    aliases: BTreeMap<String, String>,
    /// The quantities that any catalogue tells the dimensions of.
    named: BTreeMap<String, Dimensions>,
    estimates: Estimates,
    fallback: Option<Rates>,
}

export_pricing!(TokenPricing);

impl Policy for TokenPricing {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .needs(&["service-tier", "region", "metadata"])
            .config_schema(include_str!("../schema.json"))
    }

    fn new(mut config: Config) -> Result<Self, Vec<Problem>> {
        let (overrides, own) = (config.take_overrides(), config.take_own());
        let root = Pointer::root();
        let included = root.to("included");
        let mut places: Vec<_> = included.items().zip(&config.included).collect();
        places.push((root.clone(), &own));
        check::check(&places)?;
        check::check_overrides(&overrides.prices, &root.to("overrides"))?;
        if let Some(fallback) = &config.fallback {
            let mut problems = Problems::default();
            let (name, at) = (|| "fallback".to_owned(), || root.to("fallback"));
            let rated = &mut BTreeSet::new();
            check::check_rates(&name, fallback.tables(), &at, rated, &mut problems);
            problems.into_result()?;
        }
        let none_named = BTreeMap::new();
        let mut lines = Lines::default();
        let mut layouts = Layouts::new(&none_named, &mut lines);
        let fallback = config.fallback.as_ref();
        let fallback = fallback.map(|it| Rates::new(it.tables(), &[], &mut layouts));
        let mut catalogues = std::mem::take(&mut config.included);
        catalogues.push(own);
        let prices = listed(&overrides, &catalogues);
        let extractors = catalogues.iter().flat_map(|catalogue| &catalogue.extractors);
        // The first that speaks of a quantity is believed.
        let named = catalogues.iter().rev().flat_map(|catalogue| &catalogue.quantities);
        let providers = catalogues.iter().flat_map(|catalogue| &catalogue.providers);
        let alias = |about: &config::Provider| {
            let id = about.id.clone();
            about.aliases.clone().into_iter().map(move |alias| (alias, id.clone()))
        };
        Ok(Self {
            book: Book::new(&overrides, &catalogues, &mut lines),
            lines: lines.into_list(),
            listings: prices.iter().map(|price| entry::listing(price)).collect(),
            terms: terms(&prices),
            extractors: extractors.map(Extractor::new).collect(),
            aliases: providers.flat_map(alias).collect(),
            named: named.map(|(name, told)| (name.clone(), told.clone())).collect(),
            estimates: config.estimates,
            fallback,
        })
    }
}

/// All prices in the order in which they are asked, without those of catalogues that others take
/// the place of.
fn listed<'c>(
    overrides: &'c config::Catalogue,
    catalogues: &'c [config::Catalogue],
) -> Vec<&'c config::Price> {
    let taken: BTreeSet<_> = overrides.prices.iter().map(config::Price::key).collect();
    let of_catalogues = catalogues.iter().flat_map(|catalogue| &catalogue.prices);
    // What none is taken of need not be compared.
    let is_left = |price: &&config::Price| taken.is_empty() || !taken.contains(&price.key());
    overrides.prices.iter().chain(of_catalogues.filter(is_left)).collect()
}

/// What there is to say of prices besides their rates, page by page of the price list.
fn terms(prices: &[&config::Price]) -> Vec<Vec<Terms>> {
    let of_page = |page: &[&config::Price]| {
        let lines = page.iter().enumerate();
        lines.filter_map(|(position, price)| entry::terms(price, position)).collect()
    };
    prices.chunks(PAGE).map(of_page).collect()
}

impl TokenPricing {
    /// The model of a call, and the rates that hold for it.
    fn found(&self, call: &Call) -> Option<(&Model, &Rates)> {
        let model = self.book.find(&call.provider, call.model.as_deref())?;
        Some((model, model.rates(call)?))
    }

    /// The name of the entry for what no other prices comes after those of all models.
    fn fallback_position(&self) -> u32 {
        u32::try_from(self.book.models().count()).unwrap_or(u32::MAX)
    }

    fn extractor(&self, provider: &str, flavor: &str) -> Option<&Extractor> {
        let of = |id: &str| self.extractors.iter().find(|it| it.reads(id, flavor));
        let of_owner = || of(self.aliases.get(provider)?);
        of(provider).or_else(of_owner).or_else(|| of("*"))
    }
}

impl PricingPolicy for TokenPricing {
    fn claims(&self) -> Vec<String> {
        let mut claims: BTreeSet<_> = self.book.providers().map(String::as_str).collect();
        claims.extend(self.extractors.iter().map(Extractor::provider));
        claims.extend(self.aliases.keys().map(String::as_str));
        if self.fallback.is_some() || self.book.prices_any() {
            claims.insert("*");
        }
        claims.into_iter().map(String::from).collect()
    }

    fn price(&self, call: &Call) -> Result<Option<Quote>, Failure> {
        match (self.found(call), &self.fallback) {
            (Some((model, rates)), _) => model.quote(rates, call).map(Some),
            (None, Some(rates)) => {
                Ok(Some(Quote { entry: FALLBACK.into(), charges: rates.charges(call)? }))
            }
            (None, None) => Ok(None),
        }
    }

    fn coded_price(&self, call: &Call) -> Result<Option<CodedQuote>, Failure> {
        match (self.found(call), &self.fallback) {
            (Some((model, rates)), _) => model.coded_quote(rates, call).map(Some),
            (None, Some(rates)) => {
                let charges = rates.coded_charges(call)?;
                Ok(Some(CodedQuote { entry: self.fallback_position(), charges }))
            }
            (None, None) => Ok(None),
        }
    }

    fn lines(&self) -> Vec<Line> {
        self.lines.clone()
    }

    fn entries(&self, page: u32) -> Vec<String> {
        let models = self.book.models().map(|model| model.name.as_str()).chain([FALLBACK]);
        let page = models.skip(page as usize * ENTRIES_PAGE).take(ENTRIES_PAGE);
        page.map(String::from).collect()
    }

    /// Tokens that nobody speaks of are unknown, and not none.
    fn estimate(
        &self,
        mut call: Call,
        max_tokens: Option<u32>,
    ) -> Result<Option<Estimation>, Failure> {
        let model = self.book.find(&call.provider, call.model.as_deref());
        let stated = call.usage.len();
        self.estimates.complete(&mut call, model, max_tokens, &self.named);
        let rates = model.and_then(|model| model.rates(&call)).or(self.fallback.as_ref());
        let Some(rates) = rates else { return Ok(None) };
        let cost = rates.are_told_by(&call).then(|| rates.cost(&call)).transpose()?;
        Ok(Some(Estimation { filled_in: call.usage.split_off(stated), cost }))
    }

    /// Most calls state totals, and leave out what somebody knows.
    fn call_rates(&self, call: &Call, max_tokens: Option<u32>) -> Option<CallRates> {
        if !parts::are_none(&call.usage, &self.named) {
            return None;
        }
        let model = self.book.find(&call.provider, call.model.as_deref());
        let filled_in = self.estimates.guesses(call, model, max_tokens)?;
        let mut complete = call.clone();
        let measure = |it: &Guess| Measure { quantity: it.quantity.clone(), amount: Decimal::ZERO };
        complete.usage.extend(filled_in.iter().map(measure));
        let model = model.filter(|model| model.is_for(call));
        let Lasting { rates, since, until } = match model {
            Some(model) => model.lasting_rates(call)?,
            None => Lasting { rates: self.fallback.as_ref()?, since: 0, until: None },
        };
        let entry = model.map_or(FALLBACK, |model| &model.name).to_owned();
        let (rates, bounds) = rates.of_each(&complete)?;
        Some(CallRates { entry, filled_in, rates, bounds, since, until })
    }

    fn extract(
        &self,
        provider: &str,
        flavor: &str,
        response: &str,
    ) -> Result<Option<Extraction>, Failure> {
        let extractor = self.extractor(provider, flavor);
        extractor.map(|extractor| extractor.extract(response, &self.named)).transpose()
    }

    fn catalog(&self, page: u32) -> Vec<Listing> {
        self.listings.iter().skip(page as usize * PAGE).take(PAGE).cloned().collect()
    }

    fn wishes(&self) -> Vec<&'static str> {
        let average = self.estimates.ask_average().then_some("average");
        average.into_iter().chain(["overrides"]).collect()
    }

    fn terms(&self, page: u32) -> Vec<Terms> {
        self.terms.get(page as usize).cloned().unwrap_or_default()
    }
}
