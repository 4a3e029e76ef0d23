use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{bad, good, plugin};
use crate::support::{Home, Server, eventually};

/// Runs `tollgate plugin` on the shipped plans with these cases.
fn with_cases(command: &str, cases: &str) -> std::process::Output {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cases.toml");
    fs::write(&path, cases).unwrap();
    let mut arguments = vec![command, "policies/standard-tiers.toml"];
    arguments.extend(["--cases", path.to_str().unwrap()]);
    if command == "bench" {
        arguments.extend(["--calls", "50"]);
    }
    plugin(&arguments)
}

const SOLD: &str = r#"
[[case]]
name = "a free plan has gemini"
call = { provider = "gemini" }
levels = [{ plan = "free" }]
expect = { allow = true, limits = [] }
"#;

#[test]
fn inspect_says_what_a_plugin_is_and_wants() {
    let shown = good(plugin(&["inspect", "policies/standard-tiers.wasm"]));
    for said in ["plugin     standard-tiers 0.1.0", "kind       tier", "needs      features"] {
        assert!(shown.lines().any(|line| line == said), "{said} in\n{shown}");
    }
    let printed = good(plugin(&["inspect", "policies/threshold-alerts.wasm", "--json"]));
    let shown: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(shown["kind"], "alert");
    assert_eq!(shown["api_version"], "0.1.0");
    let imports = json!(["tollgate:policy/logging@0.1.0", "tollgate:policy/types@0.1.0"]);
    assert_eq!(shown["imports"], imports);
}

#[test]
fn what_is_no_component_is_told_what_makes_one() {
    let folder = TempDir::new().unwrap();
    let module = folder.path().join("module.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let complaint = bad(plugin(&["inspect", module.to_str().unwrap()]));
    assert!(complaint.contains("`tollgate plugin build` makes one"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_refuses_what_the_service_would_and_in_the_same_words() {
    let server = Server::start(&Home::new()).await;
    server.home.edit("standard-tiers.toml", "limit = 100 }", "limit = \"many\" }");
    let reason = eventually("the manifest is rejected", async || {
        let policies = server.get("/v1/policies").await.expect(200);
        policies["rejected"][0]["reason"].as_str().map(str::to_owned)
    })
    .await;
    let manifest = server.home.policy("standard-tiers.toml");
    let complaint = bad(plugin(&["check", manifest.to_str().unwrap()]));
    assert!(complaint.contains(&reason), "{reason}\nis not in\n{complaint}");
    assert!(complaint.contains("could not be probed"), "{complaint}");
}

#[test]
fn check_takes_what_the_service_takes() {
    let shown = good(plugin(&["check", "policies/standard-tiers.toml", "--policies", "policies"]));
    assert!(shown.contains("standard-tiers would be taken"), "{shown}");
    assert!(shown.contains("plan free (Free)"), "{shown}");
}

#[test]
fn check_looks_at_the_other_policies_too_and_leaves_them_alone() {
    let home = Home::new();
    let (old, new) = (home.policy("standard-tiers.toml"), home.policy("second-tiers.toml"));
    fs::copy(&old, &new).unwrap();
    let policies = new.parent().unwrap();
    good(plugin(&["check", new.to_str().unwrap()]));
    let arguments = ["check", new.to_str().unwrap(), "--policies", policies.to_str().unwrap()];
    let complaint = bad(plugin(&arguments));
    assert!(complaint.contains("could not be active"), "{complaint}");
    fs::remove_file(&new).unwrap();
    let left: Vec<_> = fs::read_dir(policies).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("rejected")), "{left:?}");
}

#[test]
fn check_puts_a_shadow_beside_the_version_that_is_there() {
    let home = Home::new();
    let folder = TempDir::new().unwrap();
    let staged = folder.path().join("standard-tiers.toml");
    let shadow = fs::read_to_string(home.policy("standard-tiers.toml")).unwrap();
    fs::write(&staged, format!("stage = \"shadow\"\n{shadow}")).unwrap();
    fs::copy(home.policy("standard-tiers.wasm"), staged.with_extension("wasm")).unwrap();
    let (staged, policies) = (staged.to_str().unwrap(), home.policy(""));
    let arguments = ["check", staged, "--policies", policies.to_str().unwrap()];
    good(plugin(&arguments));
    fs::remove_file(home.policy("standard-tiers.toml")).unwrap();
    let complaint = bad(plugin(&arguments));
    assert!(complaint.contains("that it could run beside"), "{complaint}");
}

#[test]
fn what_a_manifest_includes_is_read_from_beside_it() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(super::root().join("policies/token-pricing.wasm"), at("mine.wasm")).unwrap();
    let manifest = "kind = 'pricing'\nplugin = 'mine.wasm'\ninclude = ['prices/*.toml']\n";
    fs::write(at("mine.toml"), manifest).unwrap();
    fs::create_dir(at("prices")).unwrap();
    let catalogue = "[[prices]]\nprovider = 'acme'\neach = { searches = '0.005' }\n";
    fs::write(at("prices/acme.toml"), catalogue).unwrap();
    let cases = "[[case]]\nname = 'a search'\ncall = { provider = 'acme' }\n\
                 expect = { cost = '0.005' }\n";
    fs::write(at("cases.toml"), cases).unwrap();
    for name in ["mine.toml", "mine.wasm"] {
        good(plugin(&["test", at(name).to_str().unwrap()]));
    }
    fs::write(at("prices/acme.toml"), catalogue.replace("0.005", "-1")).unwrap();
    let complaint = bad(plugin(&["check", at("mine.toml").to_str().unwrap()]));
    assert!(complaint.contains("prices/acme.toml:3: "), "{complaint}");
}

#[test]
fn an_adjustment_is_shown_a_price_and_who_pays() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let manifest = "kind = 'pricing'\nstage = 'adjust'\nplugin = 'price-adjustments.wasm'\n\
                    [[config.rules]]\nfactor = '0.9'\nplans = ['pro']\nfrom_period_cost = '100'\n";
    fs::write(at("mine.toml"), manifest).unwrap();
    let component = super::root().join("policies/price-adjustments.wasm");
    fs::copy(&component, at("price-adjustments.wasm")).unwrap();
    let ask = |payer: Value| {
        let charge = json!({
            "quantity": "searches", "amount": 2, "unit_price": "0.01", "side": "fee",
        });
        let case = json!({
            "call": { "provider": "exa" },
            "payer": payer,
            "quote": { "entry": "exa", "charges": [charge] },
        });
        fs::write(at("call.json"), case.to_string()).unwrap();
        let (mine, call) = (at("mine.toml"), at("call.json"));
        let arguments = ["run", mine.to_str().unwrap(), "--call", call.to_str().unwrap()];
        let answer: Value = serde_json::from_str(&good(plugin(&arguments))).unwrap();
        assert_eq!(answer["entry"], "exa");
        answer["cost"].clone()
    };
    assert_eq!(ask(json!({})), "0.02");
    assert_eq!(ask(json!({ "plan": "pro", "period_cost": "99.99" })), "0.02");
    assert_eq!(ask(json!({ "plan": "pro", "period_cost": "100" })), "0.018");
    let shown = good(plugin(&["inspect", component.to_str().unwrap()]));
    assert!(shown.contains("kind       adjustment"), "{shown}");
    let complaint = bad(plugin(&["check", component.to_str().unwrap()]));
    assert!(complaint.contains("missing field `rules`"), "{complaint}");
}

#[test]
fn a_component_alone_has_no_configuration_and_the_usual_limits() {
    let home = Home::new();
    fs::remove_file(home.policy("threshold-alerts.toml")).unwrap();
    let component = home.policy("threshold-alerts.wasm");
    let complaint = bad(plugin(&["check", component.to_str().unwrap()]));
    assert!(complaint.contains("missing field `thresholds`"), "{complaint}");
    let arguments = ["--manifest", "policies/threshold-alerts.toml"];
    good(plugin(&["check", component.to_str().unwrap(), arguments[0], arguments[1]]));
}

#[test]
fn test_counts_what_passed_and_shows_what_differs() {
    let shown = good(with_cases("test", SOLD));
    assert_eq!(shown, "ok      a free plan has gemini\n1 cases passed\n");
    let wrong = format!(
        "{SOLD}\n[[case]]\nname = 'openai'\ncall = {{ provider = 'openai' }}\n\
         levels = [{{ plan = 'free' }}]\nexpect = {{ refusal = {{ reason = 'sold_out' }} }}\n"
    );
    let shown = bad(with_cases("test", &wrong));
    assert!(shown.contains("FAILED  openai\n"), "{shown}");
    let difference = r#"refusal.reason: expected "sold_out", was "not_in_plan""#;
    assert!(shown.contains(difference), "{shown}");
    assert!(shown.contains("1 of 2 cases failed"), "{shown}");
}

#[test]
fn a_mistake_in_a_case_names_its_place() {
    let typo = SOLD.replace("levels", "levls");
    let complaint = bad(with_cases("test", &typo));
    assert!(complaint.contains("line 5") && complaint.contains("levls"), "{complaint}");
    let complaint = bad(with_cases("test", &SOLD.replace("expect", "#")));
    assert!(complaint.contains("`expect` is missing"), "{complaint}");
    let complaint = bad(with_cases("test", &SOLD.replace("[{ plan", "[{}, { plan")));
    assert!(complaint.contains("there are 2 levels"), "{complaint}");
    let float = "\nlevels = [{ plan = \"free\", quotas = [{ name = \"calls\", used = 0.5 }] }]";
    let complaint =
        bad(with_cases("test", &SOLD.replace("\nlevels = [{ plan = \"free\" }]", float)));
    assert!(complaint.contains("a decimal in quotes"), "{complaint}");
}

#[test]
fn run_prints_the_answer_and_what_it_took() {
    let folder = TempDir::new().unwrap();
    let call = folder.path().join("call.json");
    let stated = json!({ "call": {
        "provider": "gemini", "model": "gemini-2.5-flash", "usage": { "input_tokens": 1000 },
    }});
    fs::write(&call, stated.to_string()).unwrap();
    let arguments = ["run", "policies/token-pricing.toml", "--call", call.to_str().unwrap()];
    let output = plugin(&arguments);
    let took = super::text(&output.stderr);
    assert!(took.contains(" of fuel, ") && took.contains(" of memory"), "{took}");
    let answer: Value = serde_json::from_str(&good(output)).unwrap();
    assert_eq!(answer["priced"], true);
    fs::write(&call, json!({ "call": { "provider": 7 } }).to_string()).unwrap();
    let complaint = bad(plugin(&arguments));
    assert!(complaint.contains("call.provider"), "{complaint}");
}

#[test]
fn bench_holds_what_calls_take_against_the_limits() {
    let shown = good(with_cases("bench", SOLD));
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].contains("50 calls a case"), "{shown}");
    assert!(lines[2].starts_with("a free plan has gemini") && lines[2].contains("µs"), "{shown}");
    assert!(lines[3].starts_with("limit") && lines[3].contains("10,000,000"), "{shown}");
}

#[test]
fn wit_is_the_contract_with_its_documentation() {
    let printed = good(plugin(&["wit"]));
    for said in [
        "world tier-policy",
        "world pricing-policy",
        "world adjustment-policy",
        "world alert-policy",
        "/// A policy is a pure function of its input and its configuration",
        "/// An exact decimal:",
    ] {
        assert!(printed.contains(said), "{said}");
    }
    let folder = TempDir::new().unwrap();
    good(plugin(&["wit", "--output", folder.path().to_str().unwrap()]));
    for file in fs::read_dir(super::root().join("wit")).unwrap() {
        let file = file.unwrap();
        let written = fs::read(folder.path().join(file.file_name())).unwrap();
        assert_eq!(written, fs::read(file.path()).unwrap(), "{:?}", file.file_name());
    }
}
