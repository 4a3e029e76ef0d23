use std::fs;
use std::process::Output;

use serde_json::Value;

use super::import;
use crate::support::{Home, tollgate};

/// Imports a catalogue of this text from `theirs.json`, with units of that text if there are any.
fn import_text(format: &str, text: &str, units: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("theirs.json"), text).unwrap();
    let mut command = tollgate();
    command.args(["prices", "import", "theirs.json", "--format", format]);
    if !units.is_empty() {
        fs::write(folder.path().join("units.json"), units).unwrap();
        command.args(["--units", "units.json"]);
    }
    let output = command.current_dir(folder.path()).output().unwrap();
    let is_there = folder.path().join("policies").exists();
    assert_eq!(output.status.success(), is_there, "a catalogue is written whole or not at all");
    output
}

#[track_caller]
fn refused(format: &str, text: &str, units: &str, told: &[&str]) {
    let output = import_text(format, text, units);
    assert!(!output.status.success(), "{text} was taken");
    let complaint = String::from_utf8(output.stderr).unwrap();
    for part in told {
        assert!(complaint.contains(part), "no {part:?} in {complaint}");
    }
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

/// A provider `acme` on the second line, with these members.
fn acme(members: &str) -> String {
    format!("[\n{{\"id\": \"acme\",\n{members}}}]")
}

#[test]
fn what_is_wrong_with_the_first_open_catalogue_is_told_by_file_line_and_entry() {
    for (text, told) in [
        ("[\n\n{]", &["theirs.json:3: "][..]),
        ("7", &["theirs.json:1: ", "no list"]),
        ("{\"models\": []}", &["theirs.json:1: ", "no `providers`"]),
        ("[\n{\"id\": \"a\"},\n{\"name\": \"b\"}]", &["theirs.json:3: ", "has no `id`"]),
        ("[\n[]]", &["theirs.json:2: ", "a provider is no object"]),
        (&acme("\"models\": 7"), &["theirs.json:2: acme: ", "`models` is no list"]),
        (&acme("\"models\": [\n7]"), &["theirs.json:4: acme/: ", "a model is no object"]),
        (&acme("\"models\": [\n{\"match\": {}}]"), &["theirs.json:4: acme/: ", "has no `id`"]),
        (&acme("\"models\": [\n{\"id\": \"m\"}]"), &["theirs.json:4: acme/m: ", "has no `match`"]),
        (
            &acme(
                "\"models\": [\n{\"id\": \"m\", \"match\": {\"sounds_like\": \"m\"}, \"prices\": {}}]",
            ),
            &["theirs.json:4: acme/m: ", "`sounds_like` is no condition on names"],
        ),
        (
            &acme(
                "\"models\": [\n{\"id\": \"m\", \"match\": {\"or\": [{\"equals\": 7}]}, \"prices\": {}}]",
            ),
            &["theirs.json:4: acme/m: ", "`equals` is no text"],
        ),
        (
            &acme(
                "\"models\": [{\"id\": \"l\", \"match\": {\"equals\": \"l\"}, \"prices\": {}},\n\
                {\"id\": \"m\", \"match\": {\"equals\": \"m\"}}]",
            ),
            &["theirs.json:4: acme/m: ", "has no `prices`"],
        ),
        (
            &acme(
                "\"models\": [\n{\"id\": \"m\", \"match\": {\"equals\": \"m\"}, \"prices\": [{}]}]",
            ),
            &["theirs.json:4: acme/m: ", "a price without `prices`"],
        ),
        (
            &acme("\"extractors\": [\n{\"api_flavor\": \"chat\"}]"),
            &["theirs.json:4: acme's answers: ", "has no root"],
        ),
        (
            &acme("\"extractors\": [\n{\"root\": 7, \"mappings\": []}]"),
            &["theirs.json:4: acme's answers: ", "a path is neither a name nor a list"],
        ),
        (
            &acme("\"extractors\": [\n{\"root\": \"usage\", \"mappings\": [{\"dest\": \"x\"}]}]"),
            &["theirs.json:4: acme's answers: ", "a mapping has no path"],
        ),
    ] {
        refused("genai-prices", text, "", told);
    }
}

#[test]
fn what_is_wrong_with_its_units_is_told_by_file_line_and_unit() {
    for (units, told) in [
        ("{\n\"a\": {]", &["units.json:2: "][..]),
        ("[]", &["units.json:1: ", "no object"]),
        ("{\n\n\"a\": {\"price_key\": \"a_mtok\"}}", &["units.json:3: the unit a: ", "`per`"]),
        (
            "{\"a\": {\"price_key\": \"a_mtok\", \"per\": 0}}",
            &["units.json:1: the unit a: ", "`per`"],
        ),
        ("{\n\"a\": {\"per\": 1}}", &["units.json:2: the unit a: ", "`price_key`"]),
    ] {
        refused("genai-prices", "[]", units, told);
    }
}

#[test]
fn what_is_wrong_with_the_other_open_catalogue_is_told_by_file_line_and_entry() {
    for (text, told) in [
        ("{\"m\": {\n\"mode\": }}", &["theirs.json:2: "][..]),
        ("[]", &["theirs.json:1: ", "no object"]),
        ("{\n\"sample_spec\": {},\n\"acme/m\": 7}", &["theirs.json:3: acme/m: ", "no object"]),
    ] {
        refused("litellm", text, "", told);
    }
}

/// What an importer says it could not express.
#[track_caller]
fn unexpressed(format: &str, text: &str) -> String {
    let output = import_text(format, text, "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn what_ours_cannot_say_of_the_first_open_catalogue_is_listed_with_its_place() {
    let model = |id: &str, more: &str| {
        format!("{{\"id\": \"{id}\", \"match\": {{\"starts_with\": \"{id}\"}}, {more}}}")
    };
    let models = [
        model("smell", r#""prices": {"smell_drops": 1, "input_mtok": 1}"#),
        model("fine", r#""prices": {"input_mtok": 0.12345678901234567}"#),
        model("negative", r#""prices": {"input_mtok": -1, "output_mtok": 1}"#),
        model("words", r#""prices": {"input_mtok": "a lot", "output_mtok": 1}"#),
        model("headless", r#""prices": {"input_mtok": {"tiers": [{"start": 5, "price": 1}]}}"#),
        model("tier", r#""prices": {"input_mtok": {"base": 1, "tiers": [{"price": 2}]}}"#),
        model(
            "moon",
            r#""prices": [{"constraint": {"moon": "full"}, "prices": {"input_mtok": 1}}]"#,
        ),
        model(
            "local",
            r#""prices": [{"constraint": {"start_time": "01:00:00+02:00",
                "end_time": "05:00:00Z"}, "prices": {"input_mtok": 1}}]"#,
        ),
        model("smell", r#""prices": {"input_mtok": 1}"#),
        r#"{"id": "smelly", "match": {"equals": "smelly"}, "prices": {"input_mtok": 1}}"#.into(),
    ];
    let extractor = r#"{"api_flavor": "chat", "root": "usage", "mappings": [
        {"path": ["a", {"field": "b", "match": {"contains": "c"}}], "dest": "x"},
        {"path": "in", "dest": "input_tokens"}]}"#;
    let text = format!(
        "[{{\"id\": \"acme\", \"extractors\": [{extractor}], \"models\": [{}]}}]",
        models.join(",\n")
    );
    let told = unexpressed("genai-prices", &text);
    for line in [
        "the unit of `smell_drops`: 1 (acme/smell)",
        "with more than 18 decimals: taken as",
        "`input_mtok` of -1: 1 (acme/negative)",
        "`input_mtok` of \"a lot\": 1 (acme/words)",
        "`input_mtok` without a base: 1 (acme/headless)",
        "the tier {\"price\":2}: 1 (acme/tier)",
        "the constraint `moon`: 1 (acme/moon)",
        "a time of day that is not in UTC: 1 (acme/local)",
        "elements of a list chosen by `contains`: 1 (acme's answers of flavor chat)",
        "a model all of whose names an earlier one takes: 1 (acme/smelly)",
    ] {
        assert!(
            told.lines().any(|it| it.starts_with("not expressed: ") && it.contains(line)),
            "no {line:?} in\n{told}"
        );
    }
}

#[test]
fn what_ours_cannot_say_of_the_other_open_catalogue_is_listed_with_its_place() {
    let text = r#"{
        "a/smell": {"litellm_provider": "a", "input_cost_per_smell": 1, "input_cost_per_token": 1},
        "a/words": {"litellm_provider": "a", "input_cost_per_token": "a lot"},
        "a/fine": {"litellm_provider": "a", "input_cost_per_token": 1.23456789e-12},
        "a/none": {"litellm_provider": "a"},
        "nobody": {"input_cost_per_token": 1},
        "twice": {"litellm_provider": "a", "input_cost_per_token": 1},
        "a/twice": {"litellm_provider": "a", "input_cost_per_token": 1},
        "a/sizes": {"litellm_provider": "a", "input_cost_per_token": 1,
            "search_context_cost_per_query": {"search_context_size_low": 1, "search_context_size_high": 2}},
        "a/fast": {"litellm_provider": "a", "input_cost_per_token": 1,
            "provider_specific_entry": {"fast": 6.0, "schema": "x"}},
        "a/results": {"litellm_provider": "a", "tiered_pricing": [
            {"max_results_range": [0, 5], "input_cost_per_query": 0.1},
            {"max_results_range": [6, 9], "input_cost_per_query": 0.2}]},
        "a/ranges": {"litellm_provider": "a", "tiered_pricing": [
            {"range": [0, 5], "input_cost_per_token": 1, "input_cost_per_sniff": 1},
            {"range": ["x"], "input_cost_per_token": 2}]}
    }"#;
    let told = unexpressed("litellm", text);
    for line in [
        "`input_cost_per_smell`: 1 (a/smell)",
        "`input_cost_per_token` of \"a lot\": 1 (a/words)",
        "a price with more than 18 decimals, rounded: `input_cost_per_token`: 1 (a/fine)",
        "an entry without a price: 1 (a/none)",
        "an entry without a provider: 1 (nobody)",
        "another name of a model of the same provider: 1 (a/twice)",
        "searches that cost by the size of what they find: taken as medium: 1 (a/sizes)",
        "a factor of 6.0 for `fast`: 1 (a/fast)",
        "prices by something else than input tokens: the dearest taken: 2 (a/results",
        "`input_cost_per_sniff` of 1 in a range: 1 (a/ranges)",
        "the range {\"range\":[\"x\"]",
    ] {
        assert!(
            told.lines().any(|it| it.starts_with("not expressed: ") && it.contains(line)),
            "no {line:?} in\n{told}"
        );
    }
}

#[test]
fn a_number_keeps_its_digits_on_the_way_in() {
    let home = Home::without_policies();
    let file = home.path().join("theirs.json");
    fs::write(
        &file,
        r#"{"a/m": {"litellm_provider": "a",
        "input_cost_per_token": 0.30000000000000004, "output_cost_per_token": 1.5E-7}}"#,
    )
    .unwrap();
    import(&home, &file, "litellm", &[]);
    let listed = tollgate().args(["prices", "list", "--json"]).current_dir(home.path()).output();
    let line: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    assert_eq!(line["rates"]["input_tokens"], "0.30000000000000004");
    assert_eq!(line["rates"]["output_tokens"], "0.00000015");
}
