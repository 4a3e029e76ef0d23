//! Which quantities are part of which, and what they are on a bill.

/// A total that contains what it is listed with, as in the OpenTelemetry GenAI conventions. The
/// parts of one total do not overlap.
pub(crate) struct Total {
    pub(crate) name: &'static str,
    pub(crate) parts: &'static [&'static str],
    side: &'static str,
}

pub(crate) const TOTALS: [Total; 2] = [
    Total {
        name: "input_tokens",
        parts: &["cache_read_tokens", "cache_write_tokens"],
        side: "input",
    },
    Total { name: "output_tokens", parts: &["output_reasoning_tokens"], side: "output" },
];

/// What a call is one of, where its price knows no tokens and nobody counted.
pub(crate) const UNITS_OF_A_CALL: [&str; 3] = ["searches", "images", "pages"];

/// The parts of a total; none for what is no total.
pub(crate) fn parts(quantity: &str) -> &'static [&'static str] {
    TOTALS.iter().find(|total| total.name == quantity).map_or(&[], |total| total.parts)
}

/// `input`, `output`, or `fee` for all that is not counted in tokens.
pub(crate) fn side(quantity: &str) -> &'static str {
    TOTALS
        .iter()
        .find(|total| total.name == quantity || total.parts.contains(&quantity))
        .map_or("fee", |total| total.side)
}

/// Whether a quantity is contained in a total that is not listed here: priced beside its total,
/// it would be billed twice.
pub(crate) fn is_unknown_part(quantity: &str) -> bool {
    let of_a_total = ["input_", "output_", "cache_"].iter().any(|of| quantity.starts_with(of));
    of_a_total && quantity.ends_with("_tokens") && side(quantity) == "fee"
}
