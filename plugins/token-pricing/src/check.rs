//! What is wrong with catalogues whose types are right.

use std::collections::BTreeSet;

use tollgate_plugin::{Pointer, Problem, Problems};

use crate::config::{Catalogue, Extractor, Price, Provider, Tables};
use crate::path::Path;

/// Finds all that is wrong, each with its place.
pub(crate) fn check(catalogues: &[(Pointer, &Catalogue)]) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::default();
    for (at, catalogue) in catalogues {
        check_providers(&catalogue.providers, &at.to("providers"), &mut problems);
        check_prices(&catalogue.prices, &at.to("prices"), &mut problems);
        check_extractors(&catalogue.extractors, &at.to("extractors"), &mut problems);
    }
    problems.into_result()
}

/// Finds what is wrong with prices that go before all others.
pub(crate) fn check_overrides(prices: &[Price], at: &Pointer) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::default();
    check_prices(prices, at, &mut problems);
    problems.into_result()
}

fn check_providers(providers: &[Provider], at: &Pointer, problems: &mut Problems) {
    let mut ids = BTreeSet::new();
    for (provider, at) in providers.iter().zip(at.items()) {
        check_provider(&provider.id, &at.to("id"), problems);
        problems.unless(ids.insert(&provider.id), &at.to("id"), "is described above already");
        for (list, ids) in [("aliases", &provider.aliases), ("resells", &provider.resells)] {
            for (id, at) in ids.iter().zip(at.to(list).items()) {
                check_provider(id, &at, problems);
            }
        }
    }
}

// A catalogue has thousands of prices, and mostly nothing is wrong: where something stands, and in
// which words it is said, is put together when there is something to say.

fn check_prices(prices: &[Price], list: &Pointer, problems: &mut Problems) {
    let mut entries = BTreeSet::new();
    for (position, price) in prices.iter().enumerate() {
        let at = || list.to(position);
        if !entries.insert(price.key()) {
            let message = "another entry prices this model from the same date under the same \
                           conditions";
            problems.note(&at(), format!("{}: {message}", price.name()));
        }
        check_price(price, &at, problems);
    }
}

fn check_price(price: &Price, at: &dyn Fn() -> Pointer, problems: &mut Problems) {
    if price.provider != "*" && !is_provider(&price.provider) {
        problems.note(&at().to("provider"), NO_PROVIDER);
    }
    let name = || price.name();
    let before_star = price.model.strip_suffix('*').unwrap_or(&price.model);
    if price.matches.is_none() && before_star.contains('*') {
        let message = format!("{}: `*` stands at the end of a pattern only", name());
        problems.note(&at().to("model"), message);
    }
    if let Some(Err(error)) = price.matches.as_ref().map(|matches| matches.check()) {
        problems.note(&at().to("match"), format!("{}: {error}", name()));
    }
    let mut rated = BTreeSet::new();
    check_rates(&name, price.tables(), at, &mut rated, problems);
    if rated.is_empty() {
        let message = "needs a rate: per_million, per_thousand, each or per_billion; a free model \
                       has rates of \"0\"";
        problems.note(&at(), format!("{}: {message}", name()));
    }
    let mut thresholds = BTreeSet::new();
    for (position, tier) in price.tiers.iter().enumerate() {
        let at = || at().to("tiers").to(position);
        if !thresholds.insert(tier.above) {
            problems.note(&at().to("above"), format!("{}: another tier begins there", name()));
        }
        let mut in_tier = BTreeSet::new();
        check_rates(&name, tier.tables(), &at, &mut in_tier, problems);
        for quantity in in_tier.difference(&rated) {
            let message = "has a rate in this tier and none below the first";
            problems.note(&at(), format!("{}: {quantity} {message}", name()));
        }
    }
}

/// Checks tables of rates, and notes what they rate.
pub(crate) fn check_rates<'r>(
    name: &dyn Fn() -> String,
    tables: Tables<'r>,
    at: &dyn Fn() -> Pointer,
    rated: &mut BTreeSet<&'r str>,
    problems: &mut Problems,
) {
    for (table_name, table, digits) in tables {
        for (quantity, rate) in table {
            let mut note = |message: &str| {
                let at = at().to(table_name).to(quantity);
                problems.note(&at, format!("{}: {message}", name()));
            };
            if !rated.insert(quantity) {
                note("is rated twice in this entry");
            }
            if rate.is_negative() {
                note("must not be negative");
            }
            // The service counts money in 18 decimals.
            if !rate.shifted_right(digits).is_ok_and(|one| one.decimals() <= 18) {
                note("is too fine to be exact for one");
            }
        }
    }
}

fn check_extractors(extractors: &[Extractor], at: &Pointer, problems: &mut Problems) {
    let mut flavors = BTreeSet::new();
    for (extractor, at) in extractors.iter().zip(at.items()) {
        for (flavor, at) in extractor.flavors.iter().zip(at.to("flavors").items()) {
            let is_new = flavors.insert((&extractor.provider, flavor));
            problems.unless(is_new, &at, "another extractor reads this flavor of the provider");
        }
        check_provider_or_any(&extractor.provider, &at.to("provider"), problems);
        let says_nothing = extractor.usage.is_empty() && extractor.unreported.is_empty();
        problems.unless(!says_nothing, &at.to("usage"), "must name a quantity");
        for (quantity, paths) in &extractor.usage {
            problems.unless(!paths.is_empty(), &at.to("usage").to(quantity), "must name a path");
        }
        let is_read = |path: &Path| extractor.usage.values().flatten().any(|it| it == path);
        for (path, at) in extractor.required.iter().zip(at.to("required").items()) {
            problems.unless(is_read(path), &at, "is no path of this extractor's usage");
        }
    }
}

const NO_PROVIDER: &str = "must be a provider id in lower case";

fn check_provider_or_any(provider: &str, at: &Pointer, problems: &mut Problems) {
    problems.unless(provider == "*" || is_provider(provider), at, NO_PROVIDER);
}

fn check_provider(provider: &str, at: &Pointer, problems: &mut Problems) {
    problems.unless(is_provider(provider), at, NO_PROVIDER);
}

fn is_provider(provider: &str) -> bool {
    !provider.is_empty() && provider != "*" && provider == provider.to_lowercase()
}
