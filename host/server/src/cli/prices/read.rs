//! A catalogue from a file, or all that are in a folder of policies.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rust_decimal::Decimal;
use toml_edit::{Document, Item, TableLike, Value};

use super::catalogue::{Catalogue, Conditions, Match, Per, Price, Rate, Rates};

/// The prices of a catalogue, of a manifest, or of a folder of policies in the order in which its
/// catalogues are asked.
pub fn prices(path: &Path) -> anyhow::Result<Vec<Price>> {
    if !path.is_dir() {
        return of_file(path);
    }
    let mut prices = Vec::new();
    let mut files = toml_files(&path.join("prices"))?;
    files.extend(toml_files(path)?);
    for file in files {
        prices.extend(of_file(&file)?);
    }
    Ok(prices)
}

/// The files of a folder in the order of their names; none where there is no folder.
fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = || format!("cannot read {}", folder.display());
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn of_file(path: &Path) -> anyhow::Result<Vec<Price>> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    Ok(catalogue(&shown, &text)?.prices)
}

/// Reads the prices of a catalogue, or of a manifest that has one; each number by its digits.
pub fn catalogue(file: &str, text: &str) -> anyhow::Result<Catalogue> {
    let line = |from: usize| text.get(..from).unwrap_or_default().matches('\n').count() + 1;
    let document = Document::parse(text).map_err(|error| {
        let place = error.span().map_or(1, |span| line(span.start));
        anyhow::anyhow!("{file}:{place}: {}", error.message().trim())
    })?;
    let top: &dyn TableLike = document.as_table();
    let config = top.get("config").and_then(Item::as_table_like);
    let mut catalogue = Catalogue::default();
    for (from, entry) in tables(config.unwrap_or(top), "prices") {
        let place = || format!("{file}:{}: {}", line(from), name(entry));
        catalogue.prices.push(price(entry).with_context(place)?);
    }
    Ok(catalogue)
}

fn text(entry: &dyn TableLike, name: &str) -> String {
    entry.get(name).and_then(Item::as_str).unwrap_or_default().to_owned()
}

/// The provider and the model of an entry that may make no sense otherwise.
fn name(entry: &dyn TableLike) -> String {
    let of = |name| text(entry, name);
    Price { provider: of("provider"), model: of("model"), ..Price::default() }.name()
}

fn price(entry: &dyn TableLike) -> anyhow::Result<Price> {
    let text = |name: &str| text(entry, name);
    let number = |name: &str| entry.get(name).and_then(Item::as_integer);
    let count = |name: &str| number(name).and_then(|count| u64::try_from(count).ok());
    let mut price = Price {
        provider: text("provider"),
        model: text("model"),
        matches: entry.get("match").and_then(Item::as_value).map(matching).transpose()?,
        description: text("description"),
        conditions: conditions(entry),
        rates: rates(entry)?,
        tiers: BTreeMap::new(),
        context_window: count("context_window"),
        max_output_tokens: count("max_output_tokens"),
    };
    for (_, tier) in tables(entry, "tiers") {
        let above =
            tier.get("above").and_then(Item::as_integer).context("a tier has no `above`")?;
        price.tiers.insert(u64::try_from(above)?, rates(tier)?);
    }
    Ok(price)
}

fn conditions(entry: &dyn TableLike) -> Conditions {
    let date = entry.get("effective_date").and_then(Item::as_value);
    let effective_date = match date {
        Some(Value::String(date)) => date.value().clone(),
        Some(Value::Datetime(date)) => date.value().to_string(),
        _ => String::new(),
    };
    let texts = |item: Option<&Item>| match item.and_then(Item::as_value) {
        Some(Value::String(one)) => vec![one.value().clone()],
        Some(Value::Array(more)) => {
            more.iter().filter_map(Value::as_str).map(String::from).collect()
        }
        _ => Vec::new(),
    };
    let metadata = entry.get("metadata").and_then(Item::as_table_like);
    let metadata = metadata.into_iter().flat_map(|table| table.iter());
    Conditions {
        effective_date,
        hours: entry.get("hours").and_then(Item::as_str).unwrap_or_default().to_owned(),
        service_tier: texts(entry.get("service_tier")),
        region: texts(entry.get("region")),
        metadata: metadata.map(|(key, item)| (key.to_owned(), texts(Some(item)))).collect(),
    }
}

fn rates(entry: &dyn TableLike) -> anyhow::Result<Rates> {
    let mut rates = Rates::new();
    for per in Per::ALL {
        let table = entry.get(per.table()).and_then(Item::as_table_like);
        for (quantity, item) in table.into_iter().flat_map(|table| table.iter()) {
            let amount = item.as_value().and_then(amount);
            let amount = amount.with_context(|| format!("{quantity} is no decimal number"))?;
            rates.insert(quantity.to_owned(), Rate { amount, per });
        }
    }
    Ok(rates)
}

/// A number in the digits that stand in the file.
fn amount(value: &Value) -> Option<Decimal> {
    let digits = match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        Value::Float(_) => value.to_string().trim().replace('_', ""),
        _ => return None,
    };
    Decimal::from_str_exact(&digits).ok().map(|amount| amount.normalize())
}

fn matching(value: &Value) -> anyhow::Result<Match> {
    let all = |list: &Value| -> anyhow::Result<Vec<Match>> {
        list.as_array().context("`match` is no list")?.iter().map(matching).collect()
    };
    match value {
        Value::String(pattern) => Ok(Match::Pattern(pattern.value().clone())),
        Value::Array(_) => Ok(Match::Any(all(value)?)),
        Value::InlineTable(table) => match table.iter().next() {
            Some(("all", list)) => Ok(Match::All(all(list)?)),
            Some(("any", list)) => Ok(Match::Any(all(list)?)),
            Some(("regex", regex)) => {
                Ok(Match::Regex(regex.as_str().context("a regex is no text")?.to_owned()))
            }
            _ => anyhow::bail!("`match` has none of all, any and regex"),
        },
        _ => anyhow::bail!("`match` is no pattern, list or table"),
    }
}

/// The tables of a list, however it is written, each with where in the text it begins.
fn tables<'t>(table: &'t dyn TableLike, name: &str) -> Vec<(usize, &'t dyn TableLike)> {
    let from = |span: Option<Range<usize>>| span.map_or(0, |span| span.start);
    match table.get(name) {
        Some(Item::ArrayOfTables(list)) => {
            list.iter().map(|it| (from(it.span()), it as &dyn TableLike)).collect()
        }
        Some(Item::Value(Value::Array(list))) => {
            let inline = list.iter().filter_map(Value::as_inline_table);
            inline.map(|it| (from(it.span()), it as &dyn TableLike)).collect()
        }
        _ => Vec::new(),
    }
}
