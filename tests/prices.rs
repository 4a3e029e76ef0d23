//! Catalogues of prices: what is imported, and what it then costs.

/// What `tollgate prices show` and `diff` print.
mod commands;
/// What a price may depend on, and what has none.
mod conditions;
/// What is held for tokens that a caller leaves unstated.
mod estimates;
/// What the importers say of catalogues that make no sense, or that ours cannot express.
mod importing;
/// The price list, as data and written back.
mod listing;
/// Prices that are set at runtime, before those of catalogues.
mod overrides;
/// Parts and totals.
mod parts;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Map, Value, json};

use crate::support::{Answer, Home, Server, eventually, tollgate};

/// When the answers of the data hold.
const AT: &str = "2026-07-15T12:00:00Z";

/// A file of facts that are not part of the project: beside it, or in `SHARED_DATA`. Says so aloud
/// where it is not there.
fn data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("SHARED_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let skipped = format!("SKIPPED {test}: there is no {}\n", path.display());
        // Past the harness, which keeps what a test prints to itself unless it fails.
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return None;
    }
    Some(path)
}

fn import(home: &Home, file: &Path, format: &str, further: &[&str]) -> Output {
    let mut command = tollgate();
    command.args(["prices", "import"]).arg(file).args(["--format", format]).args(further);
    let output = command.current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

async fn quote(server: &Server, question: &Value) -> Answer {
    server.post("/v1/quote", question).await
}

/// The quantities that are not zero, without the calls that everything is.
fn used(usage: &Value) -> Map<String, Value> {
    let mut used = usage.as_object().unwrap().clone();
    used.retain(|quantity, amount| quantity != "calls" && *amount != json!(0));
    used
}

/// An exact decimal without trailing zeros or an exponent.
fn plain(decimal: &str) -> String {
    let (digits, exponent) = decimal.split_once('E').unwrap_or((decimal, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent: i32 = exponent.parse().unwrap();
    let point = whole.len() as i32 + exponent;
    let mut all = format!("{whole}{fraction}");
    let lacking = (1 - point).max(0) as usize;
    all.insert_str(0, &"0".repeat(lacking));
    let point = point.max(1) as usize;
    while all.len() < point {
        all.push('0');
    }
    let text = format!("{}.{}", &all[..point], &all[point..]);
    let text = text.trim_end_matches('0').trim_end_matches('.').trim_start_matches('0');
    match text {
        "" => "0".into(),
        text if text.starts_with('.') => format!("0{text}"),
        text => text.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_open_catalogue_costs_exactly_what_it_says() {
    let files = ["genai-prices.json", "genai-units.json", "genai-usage-cases.json"].map(data);
    let [Some(prices), Some(units), Some(cases)] = files else { return };
    let home = Home::new();
    import(&home, &prices, "genai-prices", &["--units", units.to_str().unwrap()]);
    let server = Server::start_at(&home, AT).await;
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(cases).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let (mut priced, mut unpriced) = (0, 0);
    for case in &cases {
        for extracted in case["extracted"].as_array().unwrap() {
            for extractor in extracted["extractors"].as_array().unwrap() {
                let mut question = json!({
                    "provider": extractor["provider_id"], "api_flavor": extractor["api_flavor"],
                    "response": case["body"], "at": AT,
                });
                if let Some(model) = case.get("model") {
                    question["model"] = model.clone();
                }
                let answer = quote(&server, &question).await;
                let place = format!("{} {extractor}", case["body"]["file"]);
                if extractor.get("input_price").is_none() {
                    unpriced += 1;
                    if answer.status != 404 {
                        wrong.push(format!("{place}: {} {}", answer.status, answer.text));
                    }
                    continue;
                }
                priced += 1;
                if answer.status != 200 {
                    wrong.push(format!("{place}: {} {}", answer.status, answer.text));
                    continue;
                }
                let quoted = answer.json();
                let price = |name: &str| json!(plain(extractor[name].as_str().unwrap()));
                if used(&quoted["usage"]) != *extracted["usage"].as_object().unwrap()
                    || quoted["input_cost"] != price("input_price")
                    || quoted["output_cost"] != price("output_price")
                    || extractor.get("total_price").is_some()
                        && quoted["cost"] != price("total_price")
                {
                    wrong.push(format!("{place}: {} for {quoted}", extracted["usage"]));
                }
            }
        }
    }
    eprintln!("{} answers: {priced} prices, {unpriced} times none", cases.len());
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_adds_a_provider_while_the_service_runs() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let question = json!({"provider": "acme-ai", "api_flavor": "default", "response":
        {"model": "Acme-Large", "usage": {"in": 900, "cached": 100, "out": 10}}});
    assert_eq!(quote(&server, &question).await.status, 422);

    std::fs::create_dir_all(home.policy("prices")).unwrap();
    std::fs::write(home.policy("prices/acme.toml"), ACME).unwrap();
    let quoted = eventually("the new provider has a price", async || {
        let answer = quote(&server, &question).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(quoted["model"], "acme-large");
    assert_eq!(quoted["cost"], "0.000485", "{quoted}");

    let broken = ACME.replace("\"3.00\"", "\"-3.00\"");
    std::fs::write(home.policy("prices/acme.toml"), broken).unwrap();
    let why = eventually("the broken catalogue is refused", async || {
        let status = server.get("/v1/policies").await.expect(200);
        status["rejected"][0]["reason"].as_str().map(String::from)
    })
    .await;
    for told in ["prices/acme.toml:5: ", "acme-ai/acme-large", "must not be negative"] {
        assert!(why.contains(told), "{why}");
    }
    assert_eq!(quote(&server, &question).await.json()["cost"], "0.000485");
}

const ACME: &str = r#"
[[prices]]
provider = "acme-ai"
model = "acme-large"
per_million = { input_tokens = "0.50", cache_read_tokens = "0.05", output_tokens = "3.00" }

[[extractors]]
provider = "acme-ai"
flavors = ["default"]
model = "/model"
root = "/usage"
required = ["/in"]
usage = { input_tokens = ["/in", "/cached"], cache_read_tokens = ["/cached"], output_tokens = ["/out"] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_other_open_catalogue_is_taken_too_and_keeps_every_price() {
    let Some(prices) = data("litellm-model-prices.json") else { return };
    let home = Home::new();
    let output = import(&home, &prices, "litellm", &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("not expressed: "));
    let listed = tollgate()
        .args(["prices", "list", "--json", "--policies", "policies/prices/litellm.toml"])
        .current_dir(home.path())
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let source: Value = serde_json::from_slice(&std::fs::read(&prices).unwrap()).unwrap();
    let mut compared = 0;
    for line in lines.iter().filter(|line| line.get("conditions").is_none()) {
        let (provider, model) =
            (line["provider"].as_str().unwrap(), line["model"].as_str().unwrap());
        // Some are there under two names, of which the first is taken.
        let names = [model.to_owned(), format!("{provider}/{model}")];
        let entries = names.iter().filter_map(|name| source.get(name));
        let mut entries = entries.filter(|entry| entry["litellm_provider"] == provider);
        let (Some(entry), None) = (entries.next(), entries.next()) else { continue };
        for (theirs, ours) in [
            ("input_cost_per_token", "input_tokens"),
            ("output_cost_per_token", "output_tokens"),
            ("cache_read_input_token_cost", "cache_read_tokens"),
        ] {
            let Some(Value::Number(number)) = entry.get(theirs) else { continue };
            let number = plain(&number.to_string().to_uppercase());
            if number.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 18) {
                assert_eq!(line["rates"][ours], json!(number), "{provider}/{model} {theirs}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
    let server = Server::start(&home).await;
    let usage = json!({"input_tokens": 1_000_000, "output_tokens": 0});
    let question = json!({"provider": "groq", "model": "llama-3.3-70b-versatile", "usage": usage});
    assert_eq!(quote(&server, &question).await.expect(200)["cost"], "0.59");
}

const MARGIN: &str = r#"
kind = "pricing"
stage = "adjust"
plugin = "price-adjustments.wasm"

[[config.rules]]
factor = "1.2"

[[config.rules]]
factor = "2"
plans = ["free"]

[[config.rules]]
factor = "0.5"
from_period_cost = "0.001"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_margin_a_markup_and_a_volume_discount_lie_on_top_of_the_price() {
    let home = Home::new();
    std::fs::write(home.policy("margin.toml"), MARGIN).unwrap();
    let server = Server::start(&home).await;
    server.subscribe("paying", "pro").await;
    let call = |subject: &str| {
        json!({"subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
            "usage": {"input_tokens": 1_000, "output_tokens": 500}})
    };
    let checked = server.post("/v1/check", &call("somebody-free")).await.expect(200);
    assert_eq!(checked["estimated_cost"], "0.00075");
    // 0.0003125 × 1.2, and twice that for who pays nothing.
    for (subject, costs) in [
        ("somebody-free", ["0.00075", "0.00075", "0.000375"]),
        ("paying", ["0.000375", "0.000375", "0.000375"]),
    ] {
        for cost in costs {
            let event = server.post("/v1/usage", &call(subject)).await.expect(201);
            assert_eq!(event["cost"], cost, "{subject}: {event}");
        }
    }
    let quoted = quote(&server, &call("paying")).await.expect(200);
    assert_eq!(quoted["cost"], "0.0001875", "half, past the threshold");
    assert_eq!(quoted["charges"][0]["unit_price"], "0.000000075");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_priced_again_and_corrected_only_when_told_to() {
    let home = Home::new();
    let server = Server::start(&home).await;
    server.subscribe("acme", "pro").await;
    let event = |model: &str, id: &str| {
        json!({"subject": "acme", "provider": "gemini", "model": model, "event_id": id,
            "usage": {"input_tokens": 1_000, "output_tokens": 500}})
    };
    for (model, id) in
        [("gemini-2.5-flash", "a"), ("gemini-2.5-flash", "b"), ("gemini-of-tomorrow", "c")]
    {
        server.post("/v1/usage", &event(model, id)).await.expect(201);
    }
    let mut given = event("gemini-2.5-flash", "d");
    given["cost"] = json!("7");
    server.post("/v1/usage", &given).await.expect(201);

    let old = std::fs::read_to_string(home.policy("token-pricing.toml")).unwrap();
    let new = old.replace(
        r#"input_tokens = "0.125", output_tokens = "0.375""#,
        r#"input_tokens = "0.25", output_tokens = "1.5""#,
    );
    let new = new
        + "\n[[config.prices]]\nprovider = \"gemini\"\nmodel = \"gemini-of-tomorrow\"\n\
        per_million = { input_tokens = \"1\", output_tokens = \"2\" }\n";
    let mut question = json!({"manifest": new});
    let told = server.post("/v1/rerate", &question).await.expect(200);
    assert_eq!((&told["events"], &told["changed"]), (&json!(4), &json!(3)), "{told}");
    assert_eq!((&told["newly_priced"], &told["cost_given"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(told["old_cost"], "7.000625");
    assert_eq!(told["new_cost"], "7.004", "{told}");
    assert_eq!(told["difference"], "0.003375");
    let groups = told["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        (&groups[0]["model"], &groups[0]["plan"]),
        (&json!("gemini-2.5-flash"), &json!("pro"))
    );
    let cost = async |id: &str| {
        let found = server.get(&format!("/v1/usage?subject=acme&event_id={id}")).await.expect(200);
        let last = found["corrections"].as_array().and_then(|all| all.last().cloned());
        last.unwrap_or(found)["cost"].clone()
    };
    assert_eq!((cost("a").await, cost("c").await), (json!("0.0003125"), Value::Null));

    question["apply"] = json!(true);
    let told = server.post("/v1/rerate", &question).await.expect(200);
    assert_eq!(told["corrected"], 3, "{told}");
    assert_eq!((cost("a").await, cost("c").await), (json!("0.001"), json!("0.002")));
    assert_eq!(cost("d").await, "7");
    let used = server.get("/api/subscription/usage/acme").await.data();
    assert_eq!(used["total_cost"].to_string(), "7.004");
    let again = server.post("/v1/rerate", &question).await.expect(200);
    assert_eq!((&again["changed"], &again["corrected"]), (&json!(0), &json!(0)));
    // Nothing of the service's own prices has changed.
    assert_eq!(quote(&server, &event_question()).await.expect(200)["cost"], "0.0003125");

    server.post("/v1/rerate", &json!({"manifest": "kind = 7"})).await.problem(422);

    server.terminate();
    let home = server.home.clone();
    server.ended().await;
    let output = tollgate().args(["rerate", "--apply"]).current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The prices of the folder know nothing of the model of tomorrow, whose price stays.
    assert_eq!((&told["corrected"], &told["unpriced"]), (&json!(2), &json!(1)), "{told}");
    assert_eq!(told["new_cost"], "7.002625", "{told}");
}

fn event_question() -> Value {
    json!({"provider": "gemini", "model": "gemini-2.5-flash",
        "usage": {"input_tokens": 1_000, "output_tokens": 500}})
}
