//! `tollgate prices diff`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::catalogue::{Conditions, Price, Rates};
use super::read;

#[derive(Args)]
pub struct DiffArgs {
    /// A catalogue, a manifest, or a folder of policies
    old: PathBuf,
    /// Another
    new: PathBuf,
}

/// What tells a price from others.
type Key = (String, String, Conditions);

pub fn run(args: &DiffArgs) -> anyhow::Result<()> {
    let (old, new) = (by_key(read::prices(&args.old)?), by_key(read::prices(&args.new)?));
    let (mut gone, mut added, mut changed) = (0, 0, 0);
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let lines = match (old.get(key), new.get(key)) {
            (Some(old), None) => {
                gone += 1;
                vec![format!("- {}", title(old))]
            }
            (None, Some(new)) => {
                added += 1;
                let mut lines = vec![format!("+ {}", title(new))];
                lines.extend(changes(&Price::default(), new));
                lines
            }
            (Some(old), Some(new)) => {
                let changes = changes(old, new);
                if changes.is_empty() {
                    continue;
                }
                changed += 1;
                [vec![format!("~ {}", title(new))], changes].concat()
            }
            (None, None) => continue,
        };
        println!("{}", lines.join("\n"));
    }
    println!("{added} added, {gone} gone, {changed} changed");
    Ok(())
}

/// Of several prices under the same conditions the first is asked.
fn by_key(prices: Vec<Price>) -> BTreeMap<Key, Price> {
    let mut keyed = BTreeMap::new();
    for price in prices {
        let model = price.model.to_lowercase();
        keyed.entry((price.provider.clone(), model, price.conditions.clone())).or_insert(price);
    }
    keyed
}

fn title(price: &Price) -> String {
    match price.conditions.to_string() {
        none if none.is_empty() => price.name(),
        some => format!("{} ({some})", price.name()),
    }
}

fn changes(old: &Price, new: &Price) -> Vec<String> {
    let mut lines = rate_changes("", &old.rates, &new.rates);
    let none = Rates::new();
    for above in old.tiers.keys().chain(new.tiers.keys()).collect::<BTreeSet<_>>() {
        let of = |price: &Price| price.tiers.get(above).unwrap_or(&none).clone();
        let place = format!("above {above} input tokens: ");
        lines.extend(rate_changes(&place, &of(old), &of(new)));
    }
    lines
}

fn rate_changes(place: &str, old: &Rates, new: &Rates) -> Vec<String> {
    let mut lines = Vec::new();
    for quantity in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.get(quantity), new.get(quantity));
        let of_one = |rate: Option<&super::catalogue::Rate>| rate.and_then(|rate| rate.of_one());
        if before.is_some() == after.is_some() && of_one(before) == of_one(after) {
            continue;
        }
        let shown = |rate: Option<&super::catalogue::Rate>| {
            rate.map_or("none".to_owned(), ToString::to_string)
        };
        lines.push(format!("    {place}{quantity}: {} -> {}", shown(before), shown(after)));
    }
    lines
}
