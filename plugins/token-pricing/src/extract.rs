//! Finds the usage in a provider's raw answer.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_plugin::pricing::{Extraction, Failure};
use tollgate_plugin::{Decimal, Measure};

use crate::answer::{self, Wanted};
use crate::config::{self, Stream};
use crate::parts;
use crate::path::{Found, Path};
use crate::quantity::Dimensions;

/// Where the answers of one provider and flavor report what was used.
pub(crate) struct Extractor {
    provider: String,
    flavors: Vec<String>,
    model: Option<Path>,
    usage: Vec<(String, Vec<Place>)>,
    unreported: Vec<(String, u32)>,
    envelopes: Vec<Path>,
    of_chunks_only: bool,
    stream: Stream,
    members: Vec<String>,
}

/// Where an amount stands.
struct Place {
    path: Path,
    is_required: bool,
}

impl Extractor {
    pub(crate) fn new(config: &config::Extractor) -> Self {
        let place = |path: &Path| Place {
            path: path.under(config.root.as_ref()),
            is_required: config.required.contains(path),
        };
        let places = |(quantity, paths): (&String, &Vec<Path>)| {
            (quantity.clone(), paths.iter().map(place).collect())
        };
        let usage: Vec<(String, Vec<Place>)> = config.usage.iter().map(places).collect();
        let paths = usage.iter().flat_map(|(_, places)| places.iter().map(|place| &place.path));
        let first = paths.chain(&config.model).filter_map(Path::first).map(String::from);
        let mut members: Vec<_> = first.collect();
        members.sort_unstable();
        members.dedup();
        let usual = || ["/message", "/response"].iter().filter_map(|path| Path::parse(path).ok());
        Self {
            provider: config.provider.clone(),
            flavors: config.flavors.clone(),
            model: config.model.clone(),
            usage,
            unreported: config.unreported.iter().map(|(name, n)| (name.clone(), *n)).collect(),
            of_chunks_only: config.envelopes.is_none(),
            envelopes: config.envelopes.clone().unwrap_or_else(|| usual().collect()),
            stream: config.stream,
            members,
        }
    }

    /// The provider whose answers it reads, or `*`.
    pub(crate) fn provider(&self) -> &str {
        &self.provider
    }

    /// Whether it reads this flavor of the provider's answers.
    pub(crate) fn reads(&self, provider: &str, flavor: &str) -> bool {
        self.provider == provider && self.flavors.iter().any(|it| it == flavor)
    }

    /// Reads an answer, or the list of the chunks of a streamed one.
    /// `named` are the quantities whose names do not tell their dimensions.
    pub(crate) fn extract(
        &self,
        response: &str,
        named: &BTreeMap<String, Dimensions>,
    ) -> Result<Extraction, Failure> {
        let wanted = Wanted {
            members: &self.members,
            envelopes: &self.envelopes,
            of_chunks_only: self.of_chunks_only,
            each_chunk: self.stream == Stream::Sum,
        };
        let answers = answer::read(response, wanted)
            .map_err(|_| Failure::no_usage("the answer is not JSON"))?;
        let mut usage: Vec<Measure> = Vec::new();
        for (quantity, places) in &self.usage {
            if let Some(amount) = self.sum(&answers, places)? {
                usage.push(Measure { quantity: quantity.clone(), amount });
            }
        }
        for (quantity, amount) in &self.unreported {
            if usage.iter().all(|measure| measure.quantity != *quantity) {
                usage.push(Measure { quantity: quantity.clone(), amount: (*amount).into() });
            }
        }
        if usage.is_empty() {
            return Err(Failure::no_usage("the answer reports no usage"));
        }
        parts::check_usual(&usage)?;
        if !parts::are_usual(&usage) {
            parts::check_all(&usage, named)?;
        }
        Ok(Extraction { model: self.model_in(&answers), usage })
    }

    fn model_in(&self, answers: &[Value]) -> Option<String> {
        let path = self.model.as_ref()?;
        let mut names = answers.iter().rev().filter_map(|answer| match path.find(answer)? {
            Found::Value(value) => value.as_str().filter(|name| !name.is_empty()),
            Found::Count(_) => None,
        });
        names.next().map(Into::into)
    }

    /// The sum of what stands at the places; none where there is nothing.
    fn sum(&self, answers: &[Value], places: &[Place]) -> Result<Option<Decimal>, Failure> {
        let mut sum = None;
        for place in places {
            let mut is_there = false;
            for answer in answers {
                if let Some(amount) = place.amount(answer)? {
                    sum = Some(sum.unwrap_or(Decimal::ZERO).plus(amount)?);
                    is_there = true;
                }
            }
            if place.is_required && !is_there {
                return Err(Failure::no_usage(format!("the answer has no {}", place.path)));
            }
        }
        Ok(sum)
    }
}

impl Place {
    /// What stands here. What need not be there, and is no number, reports nothing.
    fn amount(&self, answer: &Value) -> Result<Option<Decimal>, Failure> {
        let not_whole =
            || Failure::invalid_usage(format!("the answer's {} is not a whole number", self.path));
        let amount: Decimal = match self.path.find(answer) {
            None | Some(Found::Value(Value::Null)) => return Ok(None),
            Some(Found::Count(count)) => u32::try_from(count).map_err(|_| not_whole())?.into(),
            Some(Found::Value(Value::Number(number))) => {
                number.as_str().parse().map_err(|_| not_whole())?
            }
            Some(Found::Value(_)) if self.is_required => return Err(not_whole()),
            Some(Found::Value(_)) => return Ok(None),
        };
        if amount.is_negative() || !amount.is_whole() {
            return Err(not_whole());
        }
        Ok(Some(amount))
    }
}
