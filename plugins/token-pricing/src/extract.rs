//! Finds the usage in a provider's raw answer.

use tollgate_plugin::pricing::{Extraction, Failure};
use tollgate_plugin::{Decimal, Measure};

use serde_json::Value;

use crate::answer;
use crate::config::Extractor;

impl Extractor {
    /// Reads an answer, or the list of the chunks of a streamed one.
    pub(crate) fn extract(&self, response: &str) -> Result<Extraction, Failure> {
        let paths = self.usage.values().flatten().chain(&self.model);
        let answer = answer::read(response, paths, &self.envelopes)
            .map_err(|_| Failure::no_usage("the answer is not JSON"))?;
        let mut usage = Vec::new();
        for (quantity, paths) in &self.usage {
            if let Some(amount) = sum(&answer, paths)? {
                usage.push(Measure { quantity: quantity.clone(), amount });
            }
        }
        if usage.is_empty() {
            return Err(Failure::no_usage("the answer reports no usage"));
        }
        let model = self.model.as_ref().and_then(|path| answer.pointer(path)?.as_str());
        Ok(Extraction { model: model.map(Into::into), usage })
    }
}

/// The sum of what stands at the paths; none where there is nothing.
fn sum(answer: &Value, paths: &[String]) -> Result<Option<Decimal>, Failure> {
    let mut sum = None;
    for path in paths {
        let amount: Decimal = match answer.pointer(path) {
            None | Some(Value::Null) => continue,
            Some(Value::Number(number)) => number.as_str().parse().map_err(|_| not_whole(path))?,
            Some(_) => return Err(not_whole(path)),
        };
        if amount.is_negative() || !amount.is_whole() {
            return Err(not_whole(path));
        }
        sum = Some(sum.unwrap_or(Decimal::ZERO).plus(amount)?);
    }
    Ok(sum)
}

fn not_whole(path: &str) -> Failure {
    Failure::invalid_usage(format!("the answer's {path} is not a whole number"))
}
