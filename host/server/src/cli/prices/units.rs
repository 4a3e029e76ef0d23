//! What the open catalogue calls a unit, and what it is here.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use super::json::{count, object, text};
use super::source::{Source, members, value};

/// A quantity, and of how many of it a price is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub quantity: String,
    pub per: u64,
}

/// The units of a file, or those that the names of prices tell.
#[derive(Default)]
pub struct Units {
    by_price: BTreeMap<String, Unit>,
    dimensions: BTreeMap<String, BTreeMap<String, String>>,
}

impl Units {
    pub fn read(source: &Source<'_>) -> anyhow::Result<Self> {
        let file = source.whole()?;
        let mut units = Self::default();
        for (quantity, raw) in members(file, "the file").with_context(|| source.place(file))?.iter()
        {
            let place = || format!("{}: the unit {quantity}", source.place(raw));
            units.add(quantity, &value(raw)?).with_context(place)?;
        }
        Ok(units)
    }

    fn add(&mut self, quantity: &str, unit: &Value) -> anyhow::Result<()> {
        let unit = object(unit, "what it is")?;
        let per = unit.get("per").and_then(count).filter(|per| *per > 0);
        let per = per.context("`per` is no count")?;
        let price = text(unit, "price_key");
        anyhow::ensure!(!price.is_empty(), "has no `price_key`");
        self.by_price.insert(price.to_owned(), Unit { quantity: ours(quantity).into(), per });
        if let Some(dimensions) = unit.get("dimensions").and_then(Value::as_object) {
            let texts = dimensions
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            self.dimensions.insert(quantity.to_owned(), texts.collect());
        }
        Ok(())
    }

    pub fn of_price(&self, key: &str) -> Option<Unit> {
        self.by_price.get(key).cloned().or_else(|| by_name(key))
    }

    /// The dimensions of a quantity, where the file tells them.
    pub fn dimensions(&self, quantity: &str) -> Option<&BTreeMap<String, String>> {
        self.dimensions.get(quantity)
    }
}

/// What a catalogue's quantity is called here.
pub fn ours(quantity: &str) -> &str {
    match quantity {
        "requests" => "calls",
        other => other,
    }
}

fn by_name(key: &str) -> Option<Unit> {
    const ENDINGS: [(&str, &str, u64); 6] = [
        ("_mtok", "_tokens", 1_000_000),
        ("_kcount", "", 1_000),
        ("_mchars", "_characters", 1_000_000),
        ("_hours", "_seconds", 3_600),
        ("_gpixels", "_pixels", 1_000_000_000),
        ("_kpages", "_pages", 1_000),
    ];
    ENDINGS.into_iter().find_map(|(ending, plural, per)| {
        let quantity = format!("{}{plural}", key.strip_suffix(ending)?);
        Some(Unit { quantity: ours(&quantity).to_owned(), per })
    })
}
