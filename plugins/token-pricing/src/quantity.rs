//! Which quantities are part of which, and what they are on a bill.
//!
//! A quantity has dimensions: a family (tokens, characters, …), a direction, a modality, a kind. One
//! that has all the dimensions of another, and more, is a part of it. The names say which: those of
//! tokens are put together by one rule.

use std::collections::BTreeMap;

/// What a quantity measures, by the name of the dimension.
pub(crate) type Dimensions = BTreeMap<String, String>;

const MODALITIES: [&str; 4] = ["text", "audio", "image", "video"];

/// What a call is one of, where its price knows no tokens and nobody counted.
pub(crate) const UNITS_OF_A_CALL: [&str; 3] = ["searches", "images", "pages"];

/// The dimensions that a name tells of. A name that tells nothing is a family of its own.
pub(crate) fn dimensions(name: &str) -> Dimensions {
    let known = match name {
        "audio_seconds" => Some(vec![("family", "durations"), ("modality", "audio")]),
        "input_annotated_document_pages" => Some(vec![
            ("family", "document_pages"),
            ("direction", "input"),
            ("page_type", "annotated"),
        ]),
        "input_document_pages" => Some(vec![("family", "document_pages"), ("direction", "input")]),
        _ => of_tokens(name).or_else(|| of_a_side(name)),
    };
    let own = || vec![("family", name)];
    let pairs = known.unwrap_or_else(own).into_iter();
    pairs.map(|(dimension, value)| (dimension.into(), value.into())).collect()
}

/// `input_audio_tokens`, `cache_text_write_5m_tokens`, `output_image_reasoning_tokens`, ….
fn of_tokens(name: &str) -> Option<Vec<(&'static str, &'static str)>> {
    let mut words = name.strip_suffix("_tokens")?.split('_');
    let of_cache = match words.next()? {
        "input" => false,
        "cache" => true,
        "output" => return of_output(words),
        _ => return None,
    };
    let mut dimensions = vec![("family", "tokens"), ("direction", "input")];
    let mut is_whole = !of_cache;
    for word in words {
        if let Some(modality) = modality(word) {
            dimensions.push(("modality", modality));
            continue;
        }
        dimensions.push(match (word, of_cache) {
            ("tool", false) => ("token_type", "tool"),
            ("read", true) => ("token_type", "cache_read"),
            ("write", true) => ("token_type", "cache_write"),
            ("5m", true) => ("cache_ttl", "5m"),
            ("1h", true) => ("cache_ttl", "1h"),
            _ => return None,
        });
        is_whole = true;
    }
    is_whole.then_some(dimensions)
}

fn of_output<'w>(
    words: impl Iterator<Item = &'w str>,
) -> Option<Vec<(&'static str, &'static str)>> {
    let mut dimensions = vec![("family", "tokens"), ("direction", "output")];
    for word in words {
        dimensions.push(match word {
            "reasoning" => ("token_type", "reasoning"),
            "citation" => ("token_type", "citation"),
            word => ("modality", modality(word)?),
        });
    }
    Some(dimensions)
}

/// `input_characters`, `output_audio_seconds`, `input_text_messages`, ….
fn of_a_side(name: &str) -> Option<Vec<(&'static str, &'static str)>> {
    const FAMILIES: [(&str, &str); 4] = [
        ("characters", "characters"),
        ("seconds", "durations"),
        ("pixels", "pixels"),
        ("text_messages", "messages"),
    ];
    let (direction, rest) = match name.split_once('_')? {
        ("input", rest) => ("input", rest),
        ("output", rest) => ("output", rest),
        _ => return None,
    };
    let (modality, rest) = match rest.split_once('_') {
        Some((word, rest)) if rest != "messages" => (Some(modality(word)?), rest),
        _ => (None, rest),
    };
    let (_, family) = FAMILIES.into_iter().find(|(name, _)| *name == rest)?;
    let mut dimensions = vec![("family", family), ("direction", direction)];
    dimensions.extend(modality.map(|modality| ("modality", modality)));
    Some(dimensions)
}

fn modality(word: &str) -> Option<&'static str> {
    MODALITIES.into_iter().find(|modality| *modality == word)
}

/// Whether `total` contains `part`, and more.
pub(crate) fn contains(total: &Dimensions, part: &Dimensions) -> bool {
    total.len() < part.len() && total.iter().all(|(name, value)| part.get(name) == Some(value))
}

/// The dimensions of what belongs to both, where neither contains the other and something can.
pub(crate) fn overlap(a: &Dimensions, b: &Dimensions) -> Option<Dimensions> {
    let agrees = |(name, value): (&String, &String)| b.get(name).is_none_or(|other| other == value);
    if !a.iter().all(agrees) {
        return None;
    }
    let both: Dimensions = a.iter().chain(b).map(|(n, v)| (n.clone(), v.clone())).collect();
    (both != *a && both != *b).then_some(both)
}

/// The name under which a call would state tokens of these dimensions.
pub(crate) fn name_of_tokens(dimensions: &Dimensions) -> Option<String> {
    let get = |name: &str| dimensions.get(name).map(String::as_str);
    if get("family") != Some("tokens") {
        return None;
    }
    let (first, kind) = match (get("direction")?, get("token_type")) {
        (_, Some("cache_read")) => ("cache", Some("read")),
        (_, Some("cache_write")) => ("cache", Some("write")),
        (direction, kind) => (direction, kind),
    };
    let words = [Some(first), get("modality"), kind, get("cache_ttl"), Some("tokens")];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join("_"))
}

/// `input`, `output`, or `fee` for what belongs to neither.
pub(crate) fn side(dimensions: &Dimensions) -> &'static str {
    match dimensions.get("direction").map(String::as_str) {
        Some("input") => "input",
        Some("output") => "output",
        _ => "fee",
    }
}
