//! What a call used, by quantity.

mod parts;

use serde::{Deserialize, Serialize};

use crate::name::QuantityName;
use parts::Tokens;

/// Totals with parts that do not overlap (OpenTelemetry GenAI conventions): together they are at
/// most their total, which is nothing where it is not stated.
const PARTS: [(&str, &[&str]); 2] = [
    ("input_tokens", &["cache_read_tokens", "cache_write_tokens"]),
    ("output_tokens", &["output_reasoning_tokens"]),
];

/// The quantities of one call, each once, in the order of their names. Totals include their
/// parts, and `calls` is always stated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage(Vec<(QuantityName, u64)>);

/// Quantities that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("{part} is {part_amount}, more than {total}, which contains it and is {total_amount}")]
    PartExceedsTotal { part: String, part_amount: u64, total: String, total_amount: u64 },
    #[error("{0} is given twice")]
    Twice(QuantityName),
}

impl UsageError {
    /// The quantity to blame.
    pub fn quantity(&self) -> &str {
        match self {
            Self::PartExceedsTotal { part, .. } => part,
            Self::Twice(quantity) => quantity.as_str(),
        }
    }
}

impl Usage {
    /// Checks that no part is larger than its total, and counts one call where none is stated.
    pub fn new(
        quantities: impl IntoIterator<Item = (QuantityName, u64)>,
    ) -> Result<Self, UsageError> {
        let mut list: Vec<_> = quantities.into_iter().collect();
        list.sort_unstable();
        if let Some(pair) = list.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(UsageError::Twice(pair[0].0.clone()));
        }
        let mut usage = Self(list);
        usage.check_parts()?;
        if usage.get("calls").is_none()
            && let Ok(calls) = "calls".parse::<QuantityName>()
        {
            let at = usage.0.partition_point(|(name, _)| *name < calls);
            usage.0.insert(at, (calls, 1));
        }
        Ok(usage)
    }

    /// This usage and quantities that it does not state.
    pub fn with(
        &self,
        quantities: impl IntoIterator<Item = (QuantityName, u64)>,
    ) -> Result<Self, UsageError> {
        Self::new(self.0.iter().cloned().chain(quantities))
    }

    /// The amount of a quantity, or `None` where it is not stated.
    pub fn get(&self, quantity: &str) -> Option<u64> {
        let at = self.0.binary_search_by(|(name, _)| name.as_str().cmp(quantity)).ok()?;
        Some(self.0[at].1)
    }

    /// Input and output tokens together, or `None` where neither is stated.
    pub fn tokens(&self) -> Option<u64> {
        match (self.get("input_tokens"), self.get("output_tokens")) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&QuantityName, u64)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    fn check_parts(&self) -> Result<(), UsageError> {
        for (total, parts) in PARTS {
            let total_amount = self.get(total).unwrap_or(0);
            let mut part_sum = 0_u64;
            for part in parts {
                part_sum = part_sum.saturating_add(self.get(part).unwrap_or(0));
                if part_sum > total_amount {
                    return Err(UsageError::PartExceedsTotal {
                        part: (*part).to_owned(),
                        part_amount: part_sum,
                        total: total.to_owned(),
                        total_amount,
                    });
                }
            }
        }
        match self.0.iter().all(|(name, _)| is_usual(name.as_str())) {
            true => Ok(()),
            false => self.check_further_parts(),
        }
    }

    /// Checks each of the tokens against those that are stated and contain it.
    fn check_further_parts(&self) -> Result<(), UsageError> {
        let of_name =
            |(name, amount)| Some((name, Tokens::of(QuantityName::as_str(name))?, amount));
        let stated: Vec<_> = self.iter().filter_map(of_name).collect();
        for (total, tokens, total_amount) in &stated {
            let mut parts = stated.iter().filter(|(_, part, _)| tokens.contain(part));
            if let Some((part, _, part_amount)) = parts.find(|(_, _, part)| part > total_amount) {
                return Err(UsageError::PartExceedsTotal {
                    part: part.to_string(),
                    part_amount: *part_amount,
                    total: total.to_string(),
                    total_amount: *total_amount,
                });
            }
        }
        Ok(())
    }
}

/// Whether most calls state it, and its parts and totals are known without looking at its name.
fn is_usual(quantity: &str) -> bool {
    quantity == "calls"
        || PARTS.iter().any(|(total, parts)| *total == quantity || parts.contains(&quantity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(quantities: &[(&str, u64)]) -> Result<Usage, UsageError> {
        Usage::new(quantities.iter().map(|(name, amount)| (name.parse().unwrap(), *amount)))
    }

    #[test]
    fn a_call_is_counted_once_unless_stated_otherwise() {
        assert_eq!(usage(&[("input_tokens", 5)]).unwrap().get("calls"), Some(1));
        assert_eq!(usage(&[("calls", 0)]).unwrap().get("calls"), Some(0));
    }

    #[test]
    fn a_part_larger_than_its_total_names_both() {
        let error = usage(&[("input_tokens", 5), ("cache_read_tokens", 6)]).unwrap_err();
        assert_eq!(error.quantity(), "cache_read_tokens");
        assert!(error.to_string().contains("input_tokens"));
        let together = [("input_tokens", 9), ("cache_read_tokens", 5), ("cache_write_tokens", 5)];
        assert!(usage(&together).is_err(), "the parts together exceed the total");
    }

    #[test]
    fn every_part_that_a_name_tells_of_is_held_to_its_total() {
        let error = usage(&[("input_tokens", 5), ("input_audio_tokens", 6)]).unwrap_err();
        let shown = "input_audio_tokens is 6, more than input_tokens, which contains it and is 5";
        assert_eq!(error.to_string(), shown);
        let nested = [("cache_write_tokens", 1), ("cache_write_1h_tokens", 2), ("input_tokens", 9)];
        assert_eq!(usage(&nested).unwrap_err().quantity(), "cache_write_1h_tokens");
        assert!(usage(&[("output_tokens", 6), ("output_audio_tokens", 6)]).is_ok());
        assert!(usage(&[("output_audio_tokens", 6)]).is_ok(), "the total is what its parts are");
    }

    #[test]
    fn unstated_tokens_are_not_zero_tokens() {
        assert_eq!(usage(&[]).unwrap().tokens(), None);
        assert_eq!(usage(&[("output_tokens", 7)]).unwrap().tokens(), Some(7));
    }
}
