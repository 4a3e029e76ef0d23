//! `tollgate prices list` and `show`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::catalogue::{Price, Rates};
use super::read;

#[derive(Args)]
pub struct ListArgs {
    /// Only this provider's
    #[arg(long)]
    provider: Option<String>,
    /// One JSON object a line, with the price of one of everything
    #[arg(long)]
    json: bool,
    /// The folder of the policies, or a catalogue
    #[arg(long, value_name = "PATH", env = "TOLLGATE_POLICIES", default_value = "policies")]
    policies: PathBuf,
}

#[derive(Args)]
pub struct ShowArgs {
    /// The provider
    provider: String,
    /// The model, as its price calls it; all of the provider's unless given
    model: Option<String>,
    /// The folder of the policies, or a catalogue
    #[arg(long, value_name = "PATH", env = "TOLLGATE_POLICIES", default_value = "policies")]
    policies: PathBuf,
}

#[derive(Serialize)]
struct Line<'p> {
    provider: &'p str,
    model: &'p str,
    #[serde(skip_serializing_if = "String::is_empty")]
    conditions: String,
    rates: BTreeMap<&'p str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tiers: BTreeMap<u64, BTreeMap<&'p str, String>>,
}

pub fn list(args: &ListArgs) -> anyhow::Result<()> {
    let mut prices = read::prices(&args.policies)?;
    prices.retain(|price| args.provider.as_ref().is_none_or(|it| *it == price.provider));
    let out = &mut io::BufWriter::new(io::stdout().lock());
    for price in &prices {
        let line = if args.json { serde_json::to_string(&line(price))? } else { short(price) };
        if ended(writeln!(out, "{line}"))? {
            return Ok(());
        }
    }
    ended(out.flush()).map(drop)
}

pub fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let mut prices = read::prices(&args.policies)?;
    let is_asked_for = |price: &Price| {
        let is_model = |model: &String| model.eq_ignore_ascii_case(&price.model);
        price.provider == args.provider && args.model.as_ref().is_none_or(is_model)
    };
    prices.retain(is_asked_for);
    anyhow::ensure!(!prices.is_empty(), "no price has that provider and model");
    let out = &mut io::BufWriter::new(io::stdout().lock());
    for price in &prices {
        if ended(writeln!(out, "{}", whole(price)))? {
            return Ok(());
        }
    }
    ended(out.flush()).map(drop)
}

/// Whether whoever reads has heard enough.
fn ended(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        other => Ok(other.map(|()| false)?),
    }
}

fn line(price: &Price) -> Line<'_> {
    let tiers = price.tiers.iter().map(|(above, rates)| (*above, of_one(rates)));
    Line {
        provider: &price.provider,
        model: &price.model,
        conditions: price.conditions.to_string(),
        rates: of_one(&price.rates),
        tiers: tiers.collect(),
    }
}

fn of_one(rates: &Rates) -> BTreeMap<&str, String> {
    rates
        .iter()
        .filter_map(|(quantity, rate)| Some((quantity.as_str(), rate.of_one()?.to_string())))
        .collect()
}

fn short(price: &Price) -> String {
    let rates = price.rates.iter().map(|(quantity, rate)| format!("{quantity} {rate}"));
    let conditions = match price.conditions.to_string() {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    format!("{}{conditions}: {}", price.name(), rates.collect::<Vec<_>>().join(", "))
}

fn whole(price: &Price) -> String {
    let mut text = price.name();
    let mut add = |line: String| text.push_str(&format!("\n  {line}"));
    if !price.description.is_empty() {
        add(price.description.clone());
    }
    if let Some(names) = &price.matches {
        add(format!("named {names}"));
    }
    let conditions = price.conditions.to_string();
    if !conditions.is_empty() {
        add(conditions);
    }
    for (name, tokens) in
        [("context window", price.context_window), ("most output", price.max_output_tokens)]
    {
        if let Some(tokens) = tokens {
            add(format!("{name} {tokens} tokens"));
        }
    }
    for (quantity, rate) in &price.rates {
        add(format!("{quantity} {rate}"));
    }
    for (above, rates) in &price.tiers {
        add(format!("above {above} input tokens"));
        for (quantity, rate) in rates {
            add(format!("  {quantity} {rate}"));
        }
    }
    text
}
