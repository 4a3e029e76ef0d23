use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use super::naive::Units;
use super::{data, import};
use crate::support::{Home, tollgate};

#[test]
fn an_imported_catalogue_is_listed_with_every_price_that_it_has() {
    let files = ["genai-prices.json", "genai-units.json"].map(data);
    let [Some(prices), Some(units)] = files else { return };
    let home = Home::without_policies();
    import(&home, &prices, "genai-prices", &["--units", units.to_str().unwrap()]);
    let list =
        tollgate().args(["prices", "list", "--json"]).current_dir(home.path()).output().unwrap();
    let mut listed: BTreeMap<[String; 2], Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8(list.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        listed.entry([text("provider"), text("model")]).or_default().push(line);
    }
    let read = |path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let (catalogue, units) = (read(prices), Units::new(&read(units)));
    let (mut compared, mut missing) = (0, Vec::new());
    for provider in catalogue.as_array().unwrap() {
        for model in provider["models"].as_array().unwrap() {
            let key = [provider, model].map(|it| it["id"].as_str().unwrap().to_owned());
            let lines = listed.get(&key);
            for (price, value, above) in stated(&model["prices"]) {
                let (quantity, one) = units.of_one(&price, &value);
                if one.round_dp(18) != one {
                    continue;
                }
                compared += 1;
                let has = |line: &Value| {
                    let rates = match &above {
                        None => &line["rates"],
                        Some(above) => &line["tiers"][above],
                    };
                    rates[&quantity].as_str().and_then(|it| it.parse().ok()) == Some(one)
                };
                if !lines.is_some_and(|lines| lines.iter().any(has)) {
                    missing.push(format!("{key:?} {price} {value} {above:?}"));
                }
            }
        }
    }
    assert!(compared > 2_500, "{compared}");
    assert!(missing.is_empty(), "{} of {compared}: {missing:#?}", missing.len());
}

/// All prices of a model: of what, how much, and above how many input tokens.
fn stated(prices: &Value) -> Vec<(String, Decimal, Option<String>)> {
    if let Some(list) = prices.as_array() {
        return list.iter().flat_map(|one| stated(&one["prices"])).collect();
    }
    let mut all = Vec::new();
    let decimal = |number: &Value| {
        let text = number.to_string();
        text.parse().or_else(|_| Decimal::from_scientific(&text)).unwrap()
    };
    for (name, value) in prices.as_object().unwrap() {
        let Some(tiers) = value["tiers"].as_array() else {
            all.push((name.clone(), decimal(value), None));
            continue;
        };
        all.push((name.clone(), decimal(&value["base"]), None));
        for tier in tiers {
            let above = Some(tier["start"].to_string());
            all.push((name.clone(), decimal(&tier["price"]), above));
        }
    }
    all
}
