//! What to hold for a call that leaves tokens unstated.

use std::collections::BTreeMap;

use tollgate_plugin::pricing::Guess as Filled;
use tollgate_plugin::{Call, Decimal, Measure};

use crate::config::{Estimates, Guess};
use crate::entry::Model;
use crate::parts;
use crate::quantity::Dimensions;

impl Estimates {
    /// Fills in what a call leaves unstated, as far as that is known.
    /// `named` are the quantities whose names do not tell their dimensions.
    pub(crate) fn complete(
        &self,
        call: &mut Call,
        model: Option<&Model>,
        max_tokens: Option<u32>,
        named: &BTreeMap<String, Dimensions>,
    ) {
        let sides = [("input_tokens", &self.input_tokens), ("output_tokens", &self.output_tokens)];
        for (quantity, guesses) in sides {
            if call.amount(quantity).is_some() {
                continue;
            }
            let tokens = |guess: &Guess| guess.tokens(quantity, call, model, max_tokens);
            let tokens = guesses.iter().find_map(tokens);
            if let Some(tokens) = tokens {
                let mut amount = tokens.into();
                if !parts::are_usual(&call.usage) {
                    // A guess is no reason to doubt what was stated.
                    amount = parts::least(quantity, &call.usage, named).max(amount);
                }
                let measure = Measure { quantity: quantity.into(), amount };
                call.usage.push(measure);
            }
        }
    }
}

impl Estimates {
    /// What this call and those that are like it are completed with; `None` where that differs from
    /// one to the other in more than `max_tokens`.
    pub(crate) fn guesses(
        &self,
        call: &Call,
        model: Option<&Model>,
        max_tokens: Option<u32>,
    ) -> Option<Vec<Filled>> {
        let sides = [("input_tokens", &self.input_tokens), ("output_tokens", &self.output_tokens)];
        let mut filled_in = Vec::new();
        for (quantity, guesses) in sides {
            if call.amount(quantity).is_some() {
                continue;
            }
            for guess in guesses {
                let amount = match guess {
                    Guess::Tokens(tokens) => Some(Some(*tokens)),
                    Guess::MaxTokens => max_tokens.map(|_| None),
                    Guess::MaxOutputTokens => model.and_then(|it| it.max_output_tokens).map(Some),
                    Guess::ContextWindow if model.is_none_or(|it| it.context_window.is_none()) => {
                        None
                    }
                    Guess::ContextWindow | Guess::Average => return None,
                };
                if let Some(amount) = amount {
                    let amount = amount.map(Decimal::from);
                    filled_in.push(Filled { quantity: quantity.into(), amount });
                    break;
                }
            }
        }
        Some(filled_in)
    }
}

impl Estimates {
    /// Whether what a call used on average lately is among what it is guessed from.
    pub(crate) fn ask_average(&self) -> bool {
        self.input_tokens.iter().chain(&self.output_tokens).any(|guess| *guess == Guess::Average)
    }
}

impl Guess {
    fn tokens(
        self,
        quantity: &str,
        call: &Call,
        model: Option<&Model>,
        max_tokens: Option<u32>,
    ) -> Option<u32> {
        match self {
            Self::Average => {
                let average: u32 = call.fact(&format!("average.{quantity}"))?.parse().ok()?;
                // No more comes out than the caller allows.
                let bound = max_tokens.filter(|_| quantity == "output_tokens");
                Some(bound.map_or(average, |bound| bound.min(average)))
            }
            Self::Tokens(tokens) => Some(tokens),
            Self::MaxTokens => max_tokens,
            Self::MaxOutputTokens => model?.max_output_tokens,
            Self::ContextWindow => {
                let window = model?.context_window?;
                let taken = ["input_tokens", "output_tokens"].map(|it| call.amount(it));
                let taken = taken.into_iter().flatten().filter_map(|it| it.to_u32());
                Some(window.saturating_sub(taken.fold(0, u32::saturating_add)))
            }
        }
    }
}
