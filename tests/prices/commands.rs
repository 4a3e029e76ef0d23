use std::fs;
use std::path::Path;

use crate::support::tollgate;

const OLD: &str = r#"
[[prices]]
provider = "acme"
model = "large"
match = ["large", "large-*", { regex = '^xl[0-9]$' }]
description = "Acme Large"
context_window = 200_000
max_output_tokens = 8_000
per_million = { input_tokens = "1", output_tokens = "4.00" }
each = { web_searches = "0.01" }
tiers = [{ above = 100_000, per_million = { input_tokens = "2" } }]

[[prices]]
provider = "acme"
model = "large"
service_tier = ["batch", "flex"]
hours = "16:30-00:30"
effective_date = 2026-01-01
metadata = { size = "hd" }
per_million = { input_tokens = "0.5" }

[[prices]]
provider = "acme"
model = "old"
per_thousand = { searches = "5" }

[[prices]]
provider = "finder"
each = { searches = "0" }
"#;

const NEW: &str = r#"
[[prices]]
provider = "acme"
model = "Large"
per_thousand = { input_tokens = "0.001" }
per_million = { output_tokens = "5", cache_read_tokens = "0.1" }
each = { web_searches = "0.01" }
tiers = [{ above = 100_000, per_million = { input_tokens = "3" } }, { above = 200_000, per_million = { output_tokens = "6" } }]

[[prices]]
provider = "acme"
model = "large"
service_tier = ["batch", "flex"]
hours = "16:30-00:30"
effective_date = "2026-01-01"
metadata = { size = "hd" }
per_million = { input_tokens = "0.5" }

[[prices]]
provider = "acme"
model = "new"
per_million = { input_tokens = "1" }

[[prices]]
provider = "finder"
each = { calls = "0" }
"#;

/// Runs `tollgate prices …` beside `old.toml` and `new.toml`.
fn prices(arguments: &[&str], files: &[(&str, &str)]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let files = [("old.toml", OLD), ("new.toml", NEW)].iter().chain(files);
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut command = tollgate();
    command.arg("prices").args(arguments).current_dir(folder.path());
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn show_tells_all_that_is_known_of_a_models_prices() {
    let shown = prices(&["show", "acme", "LARGE", "--policies", "old.toml"], &[]).unwrap();
    assert_eq!(
        shown,
        "acme/large\n\
        \x20 Acme Large\n\
        \x20 named large, large-*, /^xl[0-9]$/\n\
        \x20 context window 200000 tokens\n\
        \x20 most output 8000 tokens\n\
        \x20 input_tokens 1 per million\n\
        \x20 output_tokens 4 per million\n\
        \x20 web_searches 0.01 each\n\
        \x20 above 100000 input tokens\n\
        \x20   input_tokens 2 per million\n\
        acme/large\n\
        \x20 from 2026-01-01, 16:30-00:30 UTC, batch or flex tier, size hd\n\
        \x20 input_tokens 0.5 per million\n"
    );
    let all = prices(&["show", "acme", "--policies", "old.toml"], &[]).unwrap();
    assert!(all.contains("acme/old\n  searches 5 per thousand\n"), "{all}");
    let zero = prices(&["show", "finder", "--policies", "old.toml"], &[]).unwrap();
    assert_eq!(zero, "finder\n  searches 0 each\n");
}

#[test]
fn show_of_what_nobody_prices_is_an_error() {
    for arguments in [["show", "acme", "small"], ["show", "nobody", "large"]] {
        let complaint = prices(&[&arguments[..], &["--policies", "old.toml"]].concat(), &[]);
        assert!(complaint.unwrap_err().contains("no price has that provider and model"));
    }
}

#[test]
fn diff_tells_what_is_gone_what_is_new_and_what_costs_otherwise() {
    let told = prices(&["diff", "old.toml", "new.toml"], &[]).unwrap();
    assert_eq!(
        told,
        "~ acme/Large\n\
        \x20   cache_read_tokens: none -> 0.1 per million\n\
        \x20   output_tokens: 4 per million -> 5 per million\n\
        \x20   above 100000 input tokens: input_tokens: 2 per million -> 3 per million\n\
        \x20   above 200000 input tokens: output_tokens: none -> 6 per million\n\
        + acme/new\n\
        \x20   input_tokens: none -> 1 per million\n\
        - acme/old\n\
        ~ finder\n\
        \x20   calls: none -> 0 each\n\
        \x20   searches: 0 each -> none\n\
        1 added, 1 gone, 2 changed\n"
    );
    let same = prices(&["diff", "old.toml", "old.toml"], &[]).unwrap();
    assert_eq!(same, "0 added, 0 gone, 0 changed\n");
}

#[test]
fn a_folder_is_read_in_the_order_in_which_its_catalogues_are_asked() {
    let manifest = "kind = \"pricing\"\nplugin = \"x.wasm\"\n[[config.prices]]\n\
        provider = \"acme\"\nmodel = \"large\"\nper_million = { input_tokens = \"9\" }\n";
    let files =
        [("all/pricing.toml", manifest), ("all/prices/b.toml", OLD), ("all/prices/a.toml", NEW)];
    let listed = prices(&["list", "--policies", "all", "--provider", "acme"], &files).unwrap();
    let inputs: Vec<_> = listed.lines().filter(|line| !line.contains(" (")).collect();
    assert!(inputs[0].starts_with("acme/Large: ") && inputs[0].contains("0.001 per thousand"));
    assert!(inputs.last().unwrap().contains("input_tokens 9 per million"), "{listed}");
    // The first that has a price is the one that is asked.
    let told = prices(&["diff", "all", "new.toml"], &files).unwrap();
    assert!(!told.contains("~ acme/"), "{told}");
}

#[test]
fn a_catalogue_that_makes_no_sense_is_told_by_file_line_and_entry() {
    for (text, told) in [
        ("a = 1\nb = \n", "broken.toml:2: "),
        (
            "\n[[prices]]\nprovider = \"acme\"\nmodel = \"m\"\neach = { calls = [] }\n",
            "broken.toml:2: acme/m: calls is no decimal number",
        ),
        (
            "prices = [\n{ provider = \"x\", match = 7 }]\n",
            "broken.toml:2: x: `match` is no pattern",
        ),
        (
            "[[prices]]\nprovider = \"x\"\n\n[[prices]]\nprovider = \"y\"\ntiers = [{}]\n",
            "broken.toml:4: y: a tier has no `above`",
        ),
    ] {
        let complaint = prices(&["diff", "old.toml", "broken.toml"], &[("broken.toml", text)]);
        let complaint = complaint.unwrap_err();
        assert!(complaint.contains(told), "no {told:?} in {complaint}");
    }
    let complaint = prices(&["diff", "old.toml", "missing.toml"], &[]).unwrap_err();
    assert!(complaint.contains("cannot read missing.toml"), "{complaint}");
}
