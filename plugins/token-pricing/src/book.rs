//! Which entry of the price list a call is priced by.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::config::Price;
use crate::entry::Entry;

/// The price list, ready for lookup.
pub(crate) struct Book(BTreeMap<String, Provider>);

/// A provider's entries, by their lower-case model; the empty name is for calls without a model.
#[derive(Default)]
struct Provider {
    exact: BTreeMap<String, History>,
    /// Without their `*`, the longest first.
    prefixes: Vec<(String, History)>,
}

/// The entries of one model, the newest first, each with the instant from which it holds.
type History = Vec<(u64, Entry)>;

impl Book {
    pub(crate) fn new(prices: &[Price]) -> Self {
        let mut book: BTreeMap<String, Provider> = BTreeMap::new();
        for price in prices {
            let provider = book.entry(price.provider.clone()).or_default();
            let since = price.effective_date.map_or(0, |date| date.starts_at());
            provider.history(&lower_case(&price.model)).push((since, Entry::new(price)));
        }
        for provider in book.values_mut() {
            let prefixes = provider.prefixes.iter_mut().map(|(_, history)| history);
            for history in provider.exact.values_mut().chain(prefixes) {
                history.sort_by_key(|(since, _)| Reverse(*since));
            }
            provider.prefixes.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        }
        Self(book)
    }

    /// The entry for a call at an instant, in milliseconds since 1970.
    ///
    /// The longest match wins, a name before a pattern. A dated snapshot that nobody lists is
    /// its family. Of several entries for one model the newest that holds at the instant is
    /// taken, and before the first one the first.
    pub(crate) fn find(&self, provider: &str, model: Option<&str>, at: u64) -> Option<&Entry> {
        let provider = self.0.get(provider)?;
        let history = provider.find(&lower_case(model.unwrap_or_default()))?;
        let (_, entry) = history.iter().find(|(since, _)| *since <= at).or(history.last())?;
        Some(entry)
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

impl Provider {
    fn history(&mut self, model: &str) -> &mut History {
        let Some(prefix) = model.strip_suffix('*') else {
            return self.exact.entry(model.into()).or_default();
        };
        let position = self.prefixes.iter().position(|(known, _)| known == prefix);
        let position = position.unwrap_or_else(|| {
            self.prefixes.push((prefix.into(), History::new()));
            self.prefixes.len() - 1
        });
        &mut self.prefixes[position].1
    }

    fn find(&self, model: &str) -> Option<&History> {
        if let Some(exact) = self.exact.get(model) {
            return Some(exact);
        }
        let family = family(model)
            .filter(|family| !family.is_empty())
            .and_then(|family| self.exact.get_key_value(family));
        let prefix = self.prefixes.iter().find(|(prefix, _)| model.starts_with(prefix.as_str()));
        match (family, prefix) {
            (Some((family, _)), Some((prefix, history))) if prefix.len() > family.len() => {
                Some(history)
            }
            (Some((_, history)), _) | (None, Some((_, history))) => Some(history),
            (None, None) => None,
        }
    }
}

/// Names almost always come in lower case already.
fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}

/// The name without a snapshot's date: `gpt-4o-2024-08-06`, `claude-sonnet-4-20250514` and
/// `claude-sonnet-4@20250514` are of the families `gpt-4o` and `claude-sonnet-4`.
fn family(model: &str) -> Option<&str> {
    if let Some((family, _)) = model.split_once('@') {
        return Some(family);
    }
    ["-dddd-dd-dd", "-dddddddd"].iter().find_map(|shape| {
        let (family, date) = model.split_at_checked(model.len().checked_sub(shape.len())?)?;
        let fits = |(byte, shape): (u8, u8)| match shape {
            b'd' => byte.is_ascii_digit(),
            dash => byte == dash,
        };
        date.bytes().zip(shape.bytes()).all(fits).then_some(family)
    })
}
