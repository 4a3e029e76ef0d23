//! Prices in numbers: the names that stand on bills are told once.

use tollgate_domain::{Charge, QuantityName, Quote, Side};
use wasmtime::Store;

use super::answer::side;
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::coded_prices;
use crate::decimal::{product, to_amount, to_usd};
use crate::guest_state::GuestState;

/// A list of price entries has fewer pages, or it is not a list but a loop.
const PAGES_MAX: u32 = 1_000;

/// The functions of one instance, and the names that it told.
pub(crate) struct Coded {
    functions: coded_prices::Guest,
    lines: Vec<(QuantityName, Side)>,
    entries: Vec<String>,
}

impl Coded {
    pub fn new(functions: coded_prices::Guest) -> Self {
        Self { functions, lines: Vec::new(), entries: Vec::new() }
    }

    /// The functions, where the policy prices in numbers.
    pub fn functions(&self) -> Option<&coded_prices::Guest> {
        (!self.lines.is_empty()).then_some(&self.functions)
    }

    /// Takes down the names of an instance that is configured.
    pub fn take_names(&mut self, store: &mut Store<GuestState>) -> wasmtime::Result<()> {
        let lines = self.functions.call_lines(&mut *store)?;
        let line =
            |line: coded_prices::Line| Ok((word("quantity", &line.quantity)?, side(&line.side)?));
        self.lines = each("lines", lines, line)?;
        if self.lines.is_empty() {
            return Ok(());
        }
        for page in 0..PAGES_MAX {
            let entries = self.functions.call_entries(&mut *store, page)?;
            if entries.is_empty() {
                return Ok(());
            }
            self.entries.extend(entries);
        }
        Err(BadOutput::new("entries", format_args!("have more than {PAGES_MAX} pages")).into())
    }

    /// The quote with its names.
    pub fn quote(&self, quote: coded_prices::CodedQuote) -> Result<Quote, BadOutput> {
        let entry = self.entries.get(quote.entry as usize);
        let no_entry = || BadOutput::new("entry", format_args!("{} is none", quote.entry));
        let entry = entry.ok_or_else(no_entry)?.clone();
        let charges = each("charges", quote.charges, |charge| self.charge(&charge))?;
        let too_large = || BadOutput::new("charges", "are too large a sum");
        Quote::new(entry, charges).ok_or_else(too_large)
    }

    fn charge(&self, charge: &coded_prices::CodedCharge) -> Result<Charge, BadOutput> {
        let no_line = || BadOutput::new("line", format_args!("{} is none", charge.line));
        let (quantity, side) = self.lines.get(charge.line as usize).ok_or_else(no_line)?;
        let amount = to_amount("amount", charge.amount)?;
        let unit_price = to_usd("unit-price", charge.unit_price)?;
        let inexact = || {
            let problem = format_args!("of {amount} at {unit_price} has more than 18 decimals");
            BadOutput::new("cost", problem)
        };
        let cost = product(amount, unit_price).ok_or_else(inexact)?;
        Ok(Charge { quantity: quantity.clone(), amount, unit_price, cost, side: *side })
    }
}
