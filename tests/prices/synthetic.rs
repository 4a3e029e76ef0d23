use std::collections::BTreeMap;

use fastrand::Rng;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::naive::{Units, Usage, model_of, prices_at_noon, usage_in};
use super::{AT, data, import, quote, used};
use crate::support::{Home, Server};

/// So many answers for each extractor, of different models.
const ANSWERS: usize = 24;

/// The day of [`AT`], at whose noon everything is priced.
const DAY: &str = "2026-07-15";

#[tokio::test(flavor = "multi_thread")]
async fn made_up_answers_of_every_extractor_cost_what_a_simpler_reading_of_the_catalogue_says() {
    let files = ["genai-prices.json", "genai-units.json"].map(data);
    let [Some(prices), Some(units)] = files else { return };
    let home = Home::new();
    import(&home, &prices, "genai-prices", &["--units", units.to_str().unwrap()]);
    let server = Server::start_at(&home, AT).await;
    let read = |path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let (catalogue, units) = (read(prices), Units::new(&read(units)));
    let providers = catalogue.as_array().unwrap();
    let (mut priced, mut unpriced, mut without, mut wrong) = (0, 0, 0, Vec::new());
    let mut rng = Rng::with_seed(7);
    for provider in providers {
        let names = names(provider);
        for extractor in provider["extractors"].as_array().into_iter().flatten() {
            for _ in 0..ANSWERS {
                let Some(name) = rng.choice(&names) else { break };
                let answer = made_up(extractor, name, &units, &mut rng);
                let question = json!({
                    "provider": provider["id"], "api_flavor": extractor["api_flavor"],
                    "response": streamed(&answer, &mut rng), "model": name, "at": AT,
                });
                let said = quote(&server, &question).await;
                let Ok(model) = model_of(provider, name) else { continue };
                let expected = match (usage_in(extractor, &answer), model) {
                    (None, _) => Err(422),
                    // Cached tokens without what they are part of contradict themselves.
                    (Some(usage), _) if lacks_total(&usage) => Err(400),
                    (Some(_), None) => Err(404),
                    (Some(usage), Some(model)) => {
                        let bill = units.bill(prices_at_noon(model, DAY), &usage);
                        let Some(bill) = bill else { continue };
                        Ok((usage, bill))
                    }
                };
                let is_right = match &expected {
                    Err(status) => said.status.as_u16() == *status,
                    Ok((usage, bill)) if said.status == 200 => {
                        let said = said.json();
                        let same = |name: &str, cost: Decimal| {
                            said[name].as_str().and_then(|it| it.parse().ok()) == Some(cost)
                        };
                        used(&said["usage"]) == stated(usage)
                            && same("input_cost", bill.input)
                            && same("output_cost", bill.output)
                            && same("cost", bill.total)
                    }
                    Ok(_) => false,
                };
                match expected {
                    Ok(_) => priced += 1,
                    Err(404) => unpriced += 1,
                    Err(_) => without += 1,
                }
                if !is_right {
                    wrong.push(format!("{question}\n{expected:?}\n{} {}", said.status, said.text));
                }
            }
        }
    }
    eprintln!("{priced} prices, {unpriced} times none, {without} answers without usage");
    assert!(priced > 500 && without > 20, "{priced} {without}");
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n\n")
    );
}

/// Whether it has parts that everybody reports, and not their total.
fn lacks_total(usage: &Usage) -> bool {
    let parts = [
        ("cache_read_tokens", "input_tokens"),
        ("cache_write_tokens", "input_tokens"),
        ("output_reasoning_tokens", "output_tokens"),
    ];
    parts.iter().any(|(part, total)| {
        usage.get(*part).is_some_and(|amount| *amount > 0) && !usage.contains_key(*total)
    })
}

/// The usage as the service gives it: without what is nothing.
fn stated(usage: &Usage) -> Map<String, Value> {
    let named = |name: &str| if name == "requests" { "calls" } else { name }.to_owned();
    let some = usage.iter().filter(|(_, amount)| **amount > 0);
    some.map(|(name, amount)| (named(name), json!(amount))).collect()
}

/// Names that conditions on models speak of, in this case and that.
fn names(provider: &Value) -> Vec<String> {
    fn add(condition: &Value, names: &mut Vec<String>) {
        for (kind, value) in condition.as_object().unwrap() {
            match value {
                Value::Array(list) => list.iter().for_each(|it| add(it, names)),
                Value::String(text) => match kind.as_str() {
                    "equals" => names.extend([text.clone(), text.to_uppercase()]),
                    "starts_with" => names.push(format!("{text}-x1")),
                    "ends_with" => names.push(format!("x/{text}")),
                    "contains" => names.push(format!("x.{text}:y")),
                    _ => {}
                },
                _ => {}
            }
        }
    }
    let mut names = vec!["nobody's model".to_owned()];
    for model in provider["models"].as_array().unwrap() {
        add(&model["match"], &mut names);
    }
    names.retain(|name| name.len() <= 128);
    names
}

/// An answer in which an extractor finds usage, with parts no larger than their totals; now and
/// then something is missing, or is not what it should be.
fn made_up(extractor: &Value, model: &str, units: &Units, rng: &mut Rng) -> Value {
    // Half of the answers have all, and most of the rest lack what may be missing.
    let whole = rng.bool();
    let lacks_required = !whole && rng.u8(..3) == 0;
    let mut amounts: BTreeMap<String, (Value, Value)> = BTreeMap::new();
    for mapping in extractor["mappings"].as_array().unwrap() {
        let dimensions = units.get(mapping["dest"].as_str().unwrap()).dimensions.len();
        let amount = match dimensions {
            0..=2 if rng.u8(..4) == 0 => rng.u64(1_000_000..2_000_000),
            0..=2 => rng.u64(100_000..200_000),
            3 => rng.u64(2_000..9_000),
            _ => rng.u64(0..300),
        };
        let amount = if rng.u8(..10) == 0 && dimensions > 3 { 0 } else { amount };
        // A path that adds into several is as large as the largest.
        let known = amounts.entry(mapping["path"].to_string());
        let known = known.or_insert_with(|| (mapping["path"].clone(), json!(0)));
        known.1 = json!(known.1.as_u64().unwrap().max(amount));
    }
    let mut usage = json!({});
    for mapping in extractor["mappings"].as_array().unwrap() {
        let Some((path, mut amount)) = amounts.remove(&mapping["path"].to_string()) else {
            continue;
        };
        let may_lack = mapping["required"] != true || lacks_required;
        if !whole && may_lack && rng.u8(..3) == 0 {
            amount = match rng.u8(..4) {
                0 => Value::Null,
                1 if mapping["required"] != true => json!("many"),
                _ => continue,
            };
        }
        put(&mut usage, &path, amount);
    }
    let mut answer = json!({"id": "x", "choices": [{"message": {"content": "Hi"}}]});
    put(&mut answer, &extractor["root"], usage);
    put(&mut answer, &extractor["model_path"], json!(model));
    answer
}

/// Puts a value where a path leads, and other elements beside those that it chooses.
fn put(at: &mut Value, path: &Value, value: Value) {
    let one = [path.clone()];
    let steps = path.as_array().map_or(&one[..], Vec::as_slice);
    let [step, rest @ ..] = steps else {
        *at = value;
        return;
    };
    let inner = match step.as_str() {
        Some(name) => {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[name]
        }
        None => {
            let (field, wanted) = (step["field"].as_str().unwrap(), &step["match"]["equals"]);
            if !at.is_array() {
                *at = json!([{field: "SMELL", "tokenCount": 99}, 7]);
            }
            let list = at.as_array_mut().unwrap();
            let position = list.iter().position(|item| item[field] == *wanted);
            let position = position.unwrap_or_else(|| {
                list.push(json!({ field: wanted }));
                list.len() - 1
            });
            &mut list[position]
        }
    };
    put(inner, &Value::from(rest.to_vec()), value);
}

/// The answer as it is, or as the last that counts of a stream's chunks.
fn streamed(answer: &Value, rng: &mut Rng) -> Value {
    match rng.u8(..4) {
        0 => json!([{"id": "x", "choices": []}, answer, {"choices": [], "usage": null}]),
        1 => json!([answer, "[DONE]"]),
        _ => answer.clone(),
    }
}
