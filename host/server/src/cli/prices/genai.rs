//! The open catalogue `genai-prices`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;
use serde_json::value::RawValue;

use super::catalogue::{Catalogue, Conditions, Extractor, Match, Price, Provider, Rate, Rates};
use super::import::Unexpressed;
use super::json::{Object, count, decimal, list, object, only, text};
use super::source::{Source, items, members, value};
use super::units::{Unit, Units, ours};

const SOURCE: &str = "pydantic/genai-prices";

pub fn read(
    source: &Source<'_>,
    units: &Units,
    skipped: &mut Unexpressed,
) -> anyhow::Result<Catalogue> {
    let file = source.whole()?;
    let all = match members(file, "the file") {
        Ok(members) => members.get("providers"),
        Err(_) => Some(file),
    };
    let all = all.context("has no `providers`").and_then(|all| items(Some(all), "the file"));
    let mut providers = Vec::new();
    for raw in all.with_context(|| source.place(file))? {
        let provider = provider_of(raw).with_context(|| source.place(raw))?;
        providers.push((raw, provider));
    }
    let mut import = Import { source, units, skipped, catalogue: Catalogue::default() };
    import.catalogue.name = "genai-prices".into();
    import.catalogue.source = SOURCE.into();
    let ids: BTreeSet<_> = providers.iter().map(|(_, it)| text(it, "id")).collect();
    for (raw, provider) in &providers {
        import.provider(raw, provider, &ids)?;
    }
    import.name_quantities();
    Ok(import.catalogue)
}

/// What is said of a provider, its models aside.
fn provider_of(raw: &RawValue) -> anyhow::Result<Object> {
    let mut provider = Object::new();
    for (name, part) in members(raw, "a provider")?.iter() {
        if name != "models" {
            provider.insert(name.to_owned(), value(part)?);
        }
    }
    anyhow::ensure!(!text(&provider, "id").is_empty(), "a provider has no `id`");
    Ok(provider)
}

struct Import<'a> {
    source: &'a Source<'a>,
    units: &'a Units,
    skipped: &'a mut Unexpressed,
    catalogue: Catalogue,
}

impl Import<'_> {
    fn provider(
        &mut self,
        raw: &RawValue,
        provider: &Object,
        ids: &BTreeSet<&str>,
    ) -> anyhow::Result<()> {
        let source = self.source;
        let id = text(provider, "id");
        let strings = |name| list(provider, name).iter().filter_map(Value::as_str);
        let mut aliases = Vec::new();
        add_aliases(provider.get("provider_match"), &mut aliases);
        aliases.retain(|alias| !ids.contains(alias.as_str()));
        self.catalogue.providers.push(Provider {
            id: id.to_owned(),
            name: text(provider, "name").to_owned(),
            aliases,
            resells: strings("fallback_model_providers").map(String::from).collect(),
            // It lists the names that it means.
            snapshots: false,
        });
        let parts = members(raw, "a provider")?;
        let of = |name| {
            let found = items(parts.get(name), &format!("`{name}`"));
            found.with_context(|| format!("{}: {id}", source.place(raw)))
        };
        for raw in of("extractors")? {
            let extractor = value(raw)?;
            let read = object(&extractor, "an extractor").and_then(|it| self.extractor(id, it));
            read.with_context(|| format!("{}: {id}'s answers", source.place(raw)))?;
        }
        let mut taken = Names::default();
        for raw in of("models")? {
            let model = value(raw)?;
            let name = model.get("id").and_then(Value::as_str).unwrap_or_default();
            let read = object(&model, "a model").and_then(|it| self.model(id, it, &mut taken));
            read.with_context(|| format!("{}: {id}/{name}", source.place(raw)))?;
        }
        Ok(())
    }

    fn model(&mut self, provider: &str, model: &Object, taken: &mut Names) -> anyhow::Result<()> {
        anyhow::ensure!(!text(model, "id").is_empty(), "a model has no `id`");
        let id = taken.unique(text(model, "id"));
        let place = format!("{provider}/{id}");
        let matches = matching(model.get("match").context("has no `match`")?)?;
        let Some(matches) = taken.without_taken(matches) else {
            self.skipped.note(&place, "a model all of whose names an earlier one takes");
            return Ok(());
        };
        let is_own_name = matches == Match::Any(vec![Match::Pattern(id.clone())]);
        let mut base = Price {
            provider: provider.to_owned(),
            model: id,
            matches: (!is_own_name).then_some(matches),
            description: text(model, "name").to_owned(),
            context_window: model.get("context_window").and_then(count),
            ..Price::default()
        };
        let prices = match model.get("prices") {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => {
                self.price(&place, &mut base, object(one, "its prices")?);
                self.catalogue.prices.push(base);
                return Ok(());
            }
            None => anyhow::bail!("has no `prices`"),
        };
        // The last that holds counts there, and here the newest: what holds for some hours only
        // is said again for each date before it.
        let mut dates = vec![String::new()];
        for conditional in prices {
            let conditional = object(conditional, "a price")?;
            let mut price = base.clone();
            self.price(
                &place,
                &mut price,
                object(
                    conditional.get("prices").context("a price without `prices`")?,
                    "its prices",
                )?,
            );
            if let Some(constraint) = conditional.get("constraint").filter(|it| !it.is_null()) {
                price.conditions = self.constraint(&place, object(constraint, "a constraint")?);
            }
            let of_hours = !price.conditions.hours.is_empty();
            if !of_hours {
                dates.push(price.conditions.effective_date.clone());
                dates.sort();
                dates.dedup();
                self.catalogue.prices.push(price);
                continue;
            }
            for date in &dates {
                let mut dated = price.clone();
                dated.conditions.effective_date.clone_from(date);
                self.catalogue.prices.push(dated);
            }
        }
        Ok(())
    }

    fn price(&mut self, place: &str, price: &mut Price, rates: &Object) {
        for (key, value) in rates {
            let Some(unit) = self.units.of_price(key) else {
                self.skipped.note(place, format!("the unit of `{key}`"));
                continue;
            };
            let Value::Object(tiered) = value else {
                self.rate(place, key, &unit, value, &mut price.rates);
                continue;
            };
            match tiered.get("base") {
                Some(base) => self.rate(place, key, &unit, base, &mut price.rates),
                None => self.skipped.note(place, format!("`{key}` without a base")),
            }
            for tier in list(tiered, "tiers") {
                match (tier.get("start").and_then(count), tier.get("price")) {
                    (Some(start), Some(value)) => {
                        let rates = price.tiers.entry(start).or_default();
                        self.rate(place, key, &unit, value, rates);
                    }
                    _ => self.skipped.note(place, format!("the tier {tier}")),
                }
            }
        }
        if price.rates.is_empty() {
            // It has no price for anything: that it is free is said with a zero.
            let free = Rate::new(rust_decimal::Decimal::ZERO, 1);
            price.rates.extend(free.map(|rate| ("calls".to_owned(), rate)));
        }
    }

    fn rate(&mut self, place: &str, key: &str, unit: &Unit, value: &Value, rates: &mut Rates) {
        let Some((rate, is_exact)) = decimal(value).and_then(|it| Rate::nearest(it, unit.per))
        else {
            self.skipped.note(place, format!("`{key}` of {value}"));
            return;
        };
        if !is_exact {
            let reason = format!("`{key}` of {value}, with more than 18 decimals: taken as {rate}");
            self.skipped.note(place, reason);
        }
        rates.insert(unit.quantity.clone(), rate);
    }

    fn constraint(&mut self, place: &str, constraint: &Object) -> Conditions {
        let mut conditions = Conditions::default();
        for (key, value) in constraint {
            let value = value.as_str().unwrap_or_default();
            match key.as_str() {
                "start_date" => value.clone_into(&mut conditions.effective_date),
                "start_time" | "end_time" => {}
                _ => self.skipped.note(place, format!("the constraint `{key}`")),
            }
        }
        let time = |name: &str| {
            let time = text(constraint, name);
            let time = time.strip_suffix('Z').or_else(|| time.strip_suffix("+00:00"))?;
            Some(time.strip_suffix(":00").filter(|time| time.len() == 5).unwrap_or(time).to_owned())
        };
        match (time("start_time"), time("end_time")) {
            (Some(from), Some(to)) => conditions.hours = format!("{from}-{to}"),
            (None, None) => {}
            _ => self.skipped.note(place, "a time of day that is not in UTC"),
        }
        conditions
    }

    fn extractor(&mut self, provider: &str, extractor: &Object) -> anyhow::Result<()> {
        let flavor = match text(extractor, "api_flavor") {
            "" => "default",
            flavor => flavor,
        };
        let place = format!("{provider}'s answers of flavor {flavor}");
        let mut ours_is = Extractor {
            provider: provider.to_owned(),
            flavors: vec![flavor.to_owned()],
            model: path(extractor.get("model_path").unwrap_or(&Value::from("model")))?,
            root: path(extractor.get("root").context("has no root")?)?,
            ..Extractor::default()
        };
        for mapping in list(extractor, "mappings") {
            let mapping = object(mapping, "a mapping")?;
            let quantity = ours(text(mapping, "dest")).to_owned();
            let path = match path(mapping.get("path").context("a mapping has no path")?) {
                Ok(path) => path,
                Err(error) => {
                    self.skipped.note(&place, format!("a path: {error:#}"));
                    continue;
                }
            };
            if mapping.get("required").and_then(Value::as_bool).unwrap_or(true)
                && !ours_is.required.contains(&path)
            {
                ours_is.required.push(path.clone());
            }
            ours_is.usage.entry(quantity).or_default().push(path);
        }
        self.catalogue.extractors.push(ours_is);
        Ok(())
    }

    /// Says of what the quantities with rates are parts, where the file of units does.
    fn name_quantities(&mut self) {
        let prices = self.catalogue.prices.iter();
        let rated = prices.flat_map(|price| price.rates.keys()).cloned();
        for quantity in rated.collect::<BTreeSet<_>>() {
            if let Some(dimensions) = self.units.dimensions(&quantity) {
                self.catalogue.quantities.insert(quantity, dimensions.clone());
            }
        }
    }
}

/// Words in the condition on a provider's id that can be ids themselves.
fn add_aliases(condition: Option<&Value>, aliases: &mut Vec<String>) {
    let Some(members) = condition.and_then(Value::as_object) else { return };
    for (clause, value) in members {
        match (clause.as_str(), value) {
            ("or", Value::Array(list)) => {
                list.iter().for_each(|clause| add_aliases(Some(clause), aliases));
            }
            ("equals" | "contains" | "starts_with", Value::String(word)) => {
                aliases.push(word.to_lowercase());
            }
            _ => {}
        }
    }
}

fn matching(clause: &Value) -> anyhow::Result<Match> {
    let (kind, value) = only(clause, "a condition on names")?;
    let all = || -> anyhow::Result<Vec<Match>> {
        value.as_array().context("is no list")?.iter().map(matching).collect()
    };
    match kind {
        "or" => return Ok(Match::Any(all()?)),
        "and" => return Ok(Match::All(all()?)),
        _ => {}
    }
    let text = value.as_str().with_context(|| format!("`{kind}` is no text"))?;
    if kind != "regex" && text.contains('*') {
        return Ok(Match::Regex(literally(kind, text)?));
    }
    Ok(match kind {
        "equals" => Match::Pattern(text.to_owned()),
        "starts_with" => Match::Pattern(format!("{text}*")),
        "ends_with" => Match::Pattern(format!("*{text}")),
        "contains" => Match::Pattern(format!("*{text}*")),
        "regex" => Match::Regex(text.to_owned()),
        _ => anyhow::bail!("`{kind}` is no condition on names that is known here"),
    })
}

/// A text with a star, which means itself.
fn literally(kind: &str, text: &str) -> anyhow::Result<String> {
    let escaped: String = text
        .chars()
        .flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c]))
        .collect();
    Ok(match kind {
        "equals" => format!("^{escaped}$"),
        "starts_with" => format!("^{escaped}"),
        "ends_with" => format!("{escaped}$"),
        "contains" => escaped,
        _ => anyhow::bail!("`{kind}` is no condition on names that is known here"),
    })
}

/// A path as a JSON Pointer, with an element of a list chosen by a field.
fn path(path: &Value) -> anyhow::Result<String> {
    let step = |text: &str| format!("/{}", text.replace('~', "~0").replace('/', "~1"));
    let steps = match path {
        Value::String(one) => return Ok(step(one)),
        steps => steps.as_array().context("a path is neither a name nor a list")?,
    };
    let mut pointer = String::new();
    for it in steps {
        match it {
            Value::String(name) => pointer.push_str(&step(name)),
            choice => {
                let choice = object(choice, "a step")?;
                let (kind, value) = only(choice.get("match").context("no match")?, "a choice")?;
                anyhow::ensure!(kind == "equals", "elements of a list chosen by `{kind}`");
                let field = step(text(choice, "field"));
                let value = step(value.as_str().context("a choice by no text")?);
                let (field, value) = (field.trim_start_matches('/'), value.trim_start_matches('/'));
                pointer.push_str(&format!("/[{field}={value}]"));
            }
        }
    }
    Ok(pointer)
}

/// The names that a provider's models have taken: there the first in the list has a name, and
/// here a name wins before a pattern.
#[derive(Default)]
struct Names {
    ids: BTreeMap<String, usize>,
    patterns: Vec<Match>,
}

impl Names {
    fn unique(&mut self, id: &str) -> String {
        let seen = self.ids.entry(id.to_lowercase()).or_default();
        *seen += 1;
        match *seen {
            1 => id.to_owned(),
            n => format!("{id} ({n})"),
        }
    }

    /// The condition, as a list, without the names that an earlier pattern takes; none where
    /// nothing is left.
    fn without_taken(&mut self, matches: Match) -> Option<Match> {
        let mut any = match matches {
            Match::Any(any) => any,
            one => vec![one],
        };
        any.retain(|one| match one {
            Match::Pattern(name) if !name.contains('*') => {
                let name = name.to_lowercase();
                !self.patterns.iter().any(|pattern| is_met(pattern, &name))
            }
            _ => true,
        });
        let is_name = |one: &Match| matches!(one, Match::Pattern(name) if !name.contains('*'));
        self.patterns.extend(any.iter().filter(|one| !is_name(one)).cloned());
        (!any.is_empty()).then_some(Match::Any(any))
    }
}

/// Whether a name meets a condition; of regexes nothing is known here.
fn is_met(condition: &Match, name: &str) -> bool {
    match condition {
        Match::Pattern(pattern) => {
            let pattern = pattern.to_lowercase();
            match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
                (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
                (Some(end), None) => name.ends_with(end),
                (None, Some(start)) => name.starts_with(start),
                (None, None) => name == pattern,
            }
        }
        Match::Any(any) => any.iter().any(|one| is_met(one, name)),
        Match::All(all) => all.iter().all(|one| is_met(one, name)),
        Match::Regex(_) => false,
    }
}
