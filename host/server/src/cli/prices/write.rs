//! A catalogue as a file that people can read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::catalogue::{Catalogue, Conditions, Extractor, Match, Per, Price, Provider, Rates};

/// A longer list has a line for each element.
const LINE_MAX: usize = 96;

pub fn to_toml(catalogue: &Catalogue) -> String {
    let mut toml = Toml(String::new());
    toml.line("name", &text(&catalogue.name));
    toml.line("source", &text(&catalogue.source));
    for provider in &catalogue.providers {
        toml.provider(provider);
    }
    for extractor in &catalogue.extractors {
        toml.extractor(extractor);
    }
    if !catalogue.quantities.is_empty() {
        toml.0.push_str("\n[quantities]\n");
        for (quantity, dimensions) in &catalogue.quantities {
            toml.line(quantity, &table(dimensions.iter().map(|(key, it)| (key, text(it)))));
        }
    }
    for price in &catalogue.prices {
        toml.price(price);
    }
    toml.0
}

struct Toml(String);

impl Toml {
    fn line(&mut self, key: &str, value: &str) {
        // A String takes whatever is written to it.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn unless_empty(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.line(key, &text(value));
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        match values {
            [] => {}
            values => self.line(key, &list(values.iter().map(|value| text(value)))),
        }
    }

    fn provider(&mut self, provider: &Provider) {
        self.0.push_str("\n[[providers]]\n");
        self.line("id", &text(&provider.id));
        self.unless_empty("name", &provider.name);
        self.list("aliases", &provider.aliases);
        self.list("resells", &provider.resells);
        if !provider.snapshots {
            self.line("snapshots", "false");
        }
    }

    fn extractor(&mut self, extractor: &Extractor) {
        self.0.push_str("\n[[extractors]]\n");
        self.line("provider", &text(&extractor.provider));
        self.list("flavors", &extractor.flavors);
        self.unless_empty("model", &extractor.model);
        self.unless_empty("root", &extractor.root);
        self.list("required", &extractor.required);
        self.0.push_str("\n[extractors.usage]\n");
        for (quantity, paths) in &extractor.usage {
            self.list(quantity, paths);
        }
    }

    fn price(&mut self, price: &Price) {
        self.0.push_str("\n[[prices]]\n");
        self.line("provider", &text(&price.provider));
        self.unless_empty("model", &price.model);
        if let Some(matches) = &price.matches {
            self.line("match", &condition(matches));
        }
        self.unless_empty("description", &price.description);
        self.conditions(&price.conditions);
        for (key, tokens) in [
            ("context_window", price.context_window),
            ("max_output_tokens", price.max_output_tokens),
        ] {
            if let Some(tokens) = tokens {
                self.line(key, &tokens.to_string());
            }
        }
        self.rates(&price.rates);
        for (above, rates) in &price.tiers {
            self.0.push_str("\n[[prices.tiers]]\n");
            self.line("above", &above.to_string());
            self.rates(rates);
        }
    }

    fn conditions(&mut self, conditions: &Conditions) {
        self.unless_empty("effective_date", &conditions.effective_date);
        self.unless_empty("hours", &conditions.hours);
        for (key, values) in
            [("service_tier", &conditions.service_tier), ("region", &conditions.region)]
        {
            if !values.is_empty() {
                self.line(key, &one_or_more(values));
            }
        }
        if !conditions.metadata.is_empty() {
            let entries = conditions.metadata.iter();
            let entries = entries.map(|(key, values)| (text(key), one_or_more(values)));
            self.line("metadata", &table(entries));
        }
    }

    fn rates(&mut self, rates: &Rates) {
        for per in Per::ALL {
            let of_table = rates.iter().filter(|(_, rate)| rate.per == per);
            let rated: BTreeMap<_, _> =
                of_table.map(|(name, rate)| (name, text(&rate.amount.to_string()))).collect();
            if !rated.is_empty() {
                self.line(per.table(), &table(rated));
            }
        }
    }
}

fn condition(matches: &Match) -> String {
    let all = |list_of: &[Match]| list(list_of.iter().map(condition));
    match matches {
        Match::Pattern(pattern) => text(pattern),
        Match::Any(any) => all(any),
        Match::All(every) => format!("{{ all = {} }}", all(every)),
        Match::Regex(regex) => format!("{{ regex = {} }}", text(regex)),
    }
}

fn one_or_more(values: &[String]) -> String {
    match values {
        [one] => text(one),
        more => list(more.iter().map(|value| text(value))),
    }
}

fn table(entries: impl IntoIterator<Item = (impl AsRef<str>, String)>) -> String {
    let entries = entries.into_iter().map(|(key, value)| format!("{} = {value}", key.as_ref()));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    let line = format!("[{}]", items.join(", "));
    match line.len() > LINE_MAX {
        true => format!("[\n    {},\n]", items.join(",\n    ")),
        false => line,
    }
}

/// A string of TOML: as it is where it can be, so that regexes and pointers stay readable.
fn text(text: &str) -> String {
    let is_plain = |c: char| c != '\'' && !c.is_control();
    if text.contains(['"', '\\']) && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use rust_decimal::Decimal;

    use super::super::catalogue::Rate;
    use super::super::read;
    use super::*;

    const TEXTS: [&str; 10] = [
        "a",
        "gpt-4o",
        "*x*",
        "it's \"so\"",
        "\\d+$",
        "tab\there",
        "a\nb",
        "é🧀",
        "#=[]{}",
        "\u{7f}",
    ];

    fn word(rng: &mut Rng) -> String {
        let parts = (0..rng.usize(1..4)).map(|_| *rng.choice(&TEXTS).unwrap_or(&"a"));
        parts.collect::<Vec<_>>().concat()
    }

    fn words(rng: &mut Rng) -> Vec<String> {
        (0..rng.usize(0..3)).map(|_| word(rng)).collect()
    }

    fn rates(rng: &mut Rng) -> Rates {
        let names = ["input_tokens", "output_tokens", "searches", "calls"];
        let chosen: Vec<_> = names.into_iter().filter(|_| rng.bool()).collect();
        let rate = |rng: &mut Rng| Rate {
            amount: Decimal::new(rng.i64(0..1_000_000), rng.u32(0..9)).normalize(),
            per: rng.choice(Per::ALL).unwrap_or(Per::One),
        };
        chosen.into_iter().map(|name| (name.to_owned(), rate(rng))).collect()
    }

    fn matches(rng: &mut Rng, depth: usize) -> Match {
        let list = |rng: &mut Rng| {
            (0..rng.usize(0..3)).map(|_| matches(rng, depth + 1)).collect::<Vec<_>>()
        };
        match rng.u8(..4) {
            0 => Match::Regex(word(rng)),
            1 if depth < 3 => Match::Any(list(rng)),
            2 if depth < 3 => Match::All(list(rng)),
            _ => Match::Pattern(word(rng)),
        }
    }

    fn price(rng: &mut Rng) -> Price {
        let conditions = Conditions {
            effective_date: ["", "2026-01-31"][rng.usize(..2)].to_owned(),
            hours: ["", "16:30-00:30"][rng.usize(..2)].to_owned(),
            service_tier: words(rng),
            region: words(rng),
            metadata: [("size".to_owned(), vec![word(rng)])]
                .into_iter()
                .skip(rng.usize(..2))
                .collect(),
        };
        Price {
            provider: word(rng),
            model: word(rng),
            matches: rng.bool().then(|| matches(rng, 0)),
            description: words(rng).concat(),
            conditions,
            rates: rates(rng),
            tiers: (0..rng.u64(0..3)).map(|above| (above * 1_000, rates(rng))).collect(),
            context_window: rng.bool().then(|| rng.u64(..1 << 40)),
            max_output_tokens: rng.bool().then(|| rng.u64(..1 << 20)),
        }
    }

    #[test]
    fn every_price_that_is_written_is_read_again_as_it_was() {
        let mut rng = Rng::with_seed(5);
        for _ in 0..500 {
            let prices: Vec<_> = (0..rng.usize(0..4)).map(|_| price(&mut rng)).collect();
            let catalogue = Catalogue { name: word(&mut rng), prices, ..Catalogue::default() };
            let toml = to_toml(&catalogue);
            let again =
                read::catalogue("it", &toml).unwrap_or_else(|error| panic!("{error:#}\n{toml}"));
            assert_eq!(again.prices, catalogue.prices, "{toml}");
        }
    }
}
