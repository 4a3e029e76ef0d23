//! What a pricing policy says, in the domain's words.

use tollgate_domain::{
    Charge, Estimate, ExpectedCost, Extraction, Listing, PriceTier, Quote, Side, Terms, Usage,
};

use super::Rejected;
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::{price_terms, prices};
use crate::decimal::{multiplies_to, to_amount, to_count, to_usd};
use crate::kinds::call::{quantities, usage};

pub(super) fn quote(quote: prices::Quote) -> Result<Quote, BadOutput> {
    let charges = each("charges", quote.charges, charge)?;
    Quote::new(quote.entry, charges).ok_or_else(|| BadOutput::new("charges", "are too large a sum"))
}

/// `stated` is what the caller says of the usage.
pub(super) fn estimate(
    stated: &Usage,
    estimation: prices::Estimation,
) -> Result<Estimate, BadOutput> {
    let cost = estimation.cost.map(|cost| to_usd("cost", cost)).transpose()?;
    let cost = cost.map_or(ExpectedCost::Unknown, ExpectedCost::Known);
    let filled_in = quantities("filled-in", estimation.filled_in)?;
    let usage = match filled_in.is_empty() {
        true => stated.clone(),
        false => stated.with(filled_in).map_err(|error| BadOutput::new("filled-in", error))?,
    };
    Ok(Estimate { usage, cost })
}

pub(super) fn extraction(extraction: prices::Extraction) -> Result<Extraction, BadOutput> {
    let model = extraction.model.map(|model| word("model", &model)).transpose()?;
    Ok(Extraction { model, usage: usage(extraction.usage)? })
}

pub(super) fn rejected(failure: prices::Failure) -> Result<Rejected, BadOutput> {
    if failure.code.is_empty() {
        return Err(BadOutput::new("code", "is empty"));
    }
    Ok(Rejected { code: failure.code, message: failure.message })
}

pub(super) fn listing(listing: prices::Listing) -> Result<Listing, BadOutput> {
    let rate = |rate: prices::Rate| {
        Ok((word("quantity", &rate.quantity)?, to_usd("unit-price", rate.unit_price)?))
    };
    let effective = match listing.effective_date.as_str() {
        "" => None,
        date => Some(word("effective-date", &format!("{date}T00:00:00Z"))?),
    };
    Ok(Listing {
        provider: word("provider", &listing.provider)?,
        model: listing.model,
        rates: each("rates", listing.rates, rate)?,
        description: listing.description,
        effective,
        terms: Terms::default(),
    })
}

/// What there is to say of a line, and which line of its page that is.
pub(super) fn terms(terms: price_terms::Terms) -> Result<(usize, Terms), BadOutput> {
    let texts = |name: &str, list: Vec<String>| each(name, list, |text| short(name, text));
    let tier = |tier: price_terms::Tier| {
        let rate = |rate: price_terms::TermRate| {
            Ok((word("quantity", &rate.quantity)?, to_usd("unit-price", rate.unit_price)?))
        };
        let above = to_count("above-input-tokens", tier.above_input_tokens)?;
        Ok(PriceTier { above, rates: each("rates", tier.rates, rate)? })
    };
    let choice = |choice: price_terms::Choice| {
        Ok((short("key", choice.key)?, texts("values", choice.values)?))
    };
    let hours = terms.hours.map(|hours| (hours.from_second, hours.to_second));
    if hours.is_some_and(|(from, to)| from >= DAY_SECONDS || to > DAY_SECONDS) {
        return Err(BadOutput::new("hours", "are not within a day"));
    }
    let position = usize::try_from(terms.line).map_err(|error| BadOutput::new("line", error))?;
    let terms = Terms {
        tiers: each("tiers", terms.tiers, tier)?,
        hours,
        service_tiers: texts("service-tiers", terms.service_tiers)?,
        regions: texts("regions", terms.regions)?,
        metadata: each("metadata", terms.metadata, choice)?,
        context_window: terms.context_window,
        max_output_tokens: terms.max_output_tokens,
    };
    Ok((position, terms))
}

const DAY_SECONDS: u32 = 24 * 60 * 60;

fn short(name: &str, text: String) -> Result<String, BadOutput> {
    match text.is_empty() {
        true => Err(BadOutput::new(name, "is empty")),
        false => Ok(text),
    }
}

fn charge(charge: prices::Charge) -> Result<Charge, BadOutput> {
    let amount = to_amount("amount", charge.amount)?;
    let unit_price = to_usd("unit-price", charge.unit_price)?;
    let cost = to_usd("cost", charge.cost)?;
    if !multiplies_to(amount, unit_price, cost) {
        let problem = format_args!("{cost} is not {amount} at {unit_price}");
        return Err(BadOutput::new("cost", problem));
    }
    let side = side(&charge.side)?;
    Ok(Charge { quantity: word("quantity", &charge.quantity)?, amount, unit_price, cost, side })
}

pub(in crate::kinds) fn side(side: &str) -> Result<Side, BadOutput> {
    match side {
        "input" => Ok(Side::Input),
        "output" => Ok(Side::Output),
        "fee" => Ok(Side::Fee),
        other => {
            let problem = format_args!("`{other}` is none of input, output and fee");
            Err(BadOutput::new("side", problem))
        }
    }
}
