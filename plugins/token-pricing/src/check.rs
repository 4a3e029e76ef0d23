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

fn check_prices(prices: &[Price], at: &Pointer, problems: &mut Problems) {
    let mut entries = BTreeSet::new();
    for (price, at) in prices.iter().zip(at.items()) {
        let entry = (&price.provider, price.model.to_ascii_lowercase(), price.conditions());
        let message = format!(
            "{}: another entry prices this model from the same date under the same conditions",
            price.name()
        );
        problems.unless(entries.insert(entry), &at, message);
        check_price(price, &at, problems);
    }
}

fn check_price(price: &Price, at: &Pointer, problems: &mut Problems) {
    check_provider_or_any(&price.provider, &at.to("provider"), problems);
    let name = price.name();
    let before_star = price.model.strip_suffix('*').unwrap_or(&price.model);
    let message = format!("{name}: `*` stands at the end of a pattern only");
    let is_name = price.matches.is_some() || !before_star.contains('*');
    problems.unless(is_name, &at.to("model"), message);
    if let Some(Err(error)) = price.matches.as_ref().map(|matches| matches.check()) {
        problems.unless(false, &at.to("match"), format!("{name}: {error}"));
    }
    let mut rated = BTreeSet::new();
    check_rates(&name, price.tables(), at, &mut rated, problems);
    let message = format!(
        "{name}: needs a rate: per_million, per_thousand, each or per_billion; a free model has \
         rates of \"0\""
    );
    problems.unless(!rated.is_empty(), at, message);
    let mut thresholds = BTreeSet::new();
    for (tier, at) in price.tiers.iter().zip(at.to("tiers").items()) {
        let message = format!("{name}: another tier begins there");
        problems.unless(thresholds.insert(tier.above), &at.to("above"), message);
        let mut in_tier = BTreeSet::new();
        check_rates(&name, tier.tables(), &at, &mut in_tier, problems);
        for quantity in in_tier.difference(&rated) {
            let message =
                format!("{name}: {quantity} has a rate in this tier and none below the first");
            problems.unless(false, &at, message);
        }
    }
}

/// Checks tables of rates, and notes what they rate.
pub(crate) fn check_rates<'r>(
    name: &str,
    tables: Tables<'r>,
    at: &Pointer,
    rated: &mut BTreeSet<&'r str>,
    problems: &mut Problems,
) {
    for (table_name, table, digits) in tables {
        for (quantity, rate) in table {
            let at = at.to(table_name).to(quantity);
            let is_new = rated.insert(quantity);
            problems.unless(is_new, &at, format!("{name}: is rated twice in this entry"));
            let message = format!("{name}: must not be negative");
            problems.unless(!rate.is_negative(), &at, message);
            // The service counts money in 18 decimals.
            let exact = rate.shifted_right(digits).is_ok_and(|one| one.decimals() <= 18);
            problems.unless(exact, &at, format!("{name}: is too fine to be exact for one"));
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

fn check_provider_or_any(provider: &str, at: &Pointer, problems: &mut Problems) {
    if provider != "*" {
        check_provider(provider, at, problems);
    }
}

fn check_provider(provider: &str, at: &Pointer, problems: &mut Problems) {
    let is_id = !provider.is_empty() && provider != "*" && provider == provider.to_lowercase();
    problems.unless(is_id, at, "must be a provider id in lower case");
}
