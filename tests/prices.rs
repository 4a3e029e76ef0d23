//! Catalogues of prices: what is imported, and what it then costs.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Map, Value, json};

use crate::support::{Answer, Home, Server, tollgate};

/// When the answers of the data hold.
const AT: &str = "2026-07-15T12:00:00Z";

/// A file of facts that are not part of the project; says so where it is not there.
fn data(name: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let near = ["../../../shared/data", "../../../../work/shared/data"];
    let path = near.iter().map(|folder| manifest.join(folder).join(name)).find(|it| it.exists());
    if path.is_none() {
        eprintln!("SKIPPED: shared/data/{name} is not beside the project");
    }
    path
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
