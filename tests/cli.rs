use std::fs;
use std::net::TcpListener;
use std::process::Output;

use tempfile::TempDir;

use crate::support::tollgate;

/// Runs the program with these arguments and variables in a folder that is empty, but for a
/// `tollgate.toml` if there is to be one.
fn run(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = TempDir::new().unwrap();
    if !file.is_empty() {
        fs::write(folder.path().join("tollgate.toml"), file).unwrap();
    }
    let mut command = tollgate();
    command.current_dir(folder.path()).args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn good(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn complaint(output: Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_version_is_the_packages() {
    let printed = good(run("", &["--version"], &[]));
    assert_eq!(printed.trim(), concat!("tollgate ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_setting_says_where_its_value_comes_from() {
    let file = "data = \"from-file\"\nlog = \"debug\"\npolicies = \"from-file\"\n";
    let variables = [("TOLLGATE_DATA", "from-environment"), ("TOLLGATE_LOG", "warn")];
    let printed = good(run(file, &["config", "--data", "from-flag"], &variables));
    for (name, value, source) in [
        ("data", "from-flag", "flag"),
        ("log", "warn", "environment"),
        ("policies", "from-file", "tollgate.toml"),
        ("listen", "127.0.0.1:8080", "default"),
    ] {
        let line = printed.lines().find(|line| line.split_whitespace().next() == Some(name));
        let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words, [name, value, source], "in\n{printed}");
    }
}

#[test]
fn an_unknown_key_is_an_error_with_file_and_line() {
    let file = "data = \"here\"\n\n# A typo:\nlisten_on = \"127.0.0.1:0\"\n";
    let complaint = complaint(run(file, &["serve"], &[]));
    assert!(complaint.contains("tollgate.toml:4"), "{complaint}");
    assert!(complaint.contains("listen_on"), "{complaint}");
}

#[test]
fn a_bad_value_is_an_error_that_names_its_flag_or_file() {
    let listen = [("TOLLGATE_LISTEN", "nowhere")];
    for (file, arguments, variables, named) in [
        ("", &["serve", "--listen", "nowhere"][..], &[][..], "--listen"),
        ("", &["serve", "--clock-start", "noon"], &[], "--clock-start"),
        ("", &["serve"], &listen, "--listen"),
        ("listen = \"nowhere\"", &["serve"], &[], "tollgate.toml"),
        ("", &["load", "--trace", "trace.csv", "--speed", "fast"], &[], "--speed"),
    ] {
        let complaint = complaint(run(file, arguments, variables));
        assert!(complaint.contains(named), "{named} is missing from: {complaint}");
    }
}

/// A trace with one row, which ends with its folder.
fn trace(row: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("trace.csv");
    fs::write(&path, format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{row}\n")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_load_of_a_bad_trace_names_file_and_line() {
    let (_folder, trace) = trace("2023-11-16 18:17:03,few,2");
    let complaint = complaint(run("", &["load", "--trace", &trace], &[]));
    assert!(complaint.contains("trace.csv:2") && complaint.contains("few"), "{complaint}");
}

#[test]
fn a_load_without_a_service_fails() {
    let (_folder, trace) = trace("2023-11-16 18:17:03,1,2");
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let complaint = complaint(run("", &["load", "--trace", &trace, "--url", &url], &[]));
    assert!(complaint.contains("cannot subscribe load-"), "{complaint}");
}
