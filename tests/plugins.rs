/// `tollgate plugin inspect`, `check`, `test`, `run`, `bench` and `wit`.
mod commands;
/// Plugins that were built against every released version of the contract.
mod compatibility;
/// `plugins/examples/`: each builds, and answers as its cases say.
mod examples;
/// `tollgate plugin new`: each kind in each language builds, and passes its own tests.
mod new;
/// `plugins/README.md`: whoever follows it has a policy in a running service.
mod readme;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::support::tollgate;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs `tollgate plugin` with these arguments, in the repository.
fn plugin(arguments: &[&str]) -> Output {
    tollgate().current_dir(root()).arg("plugin").args(arguments).output().unwrap()
}

/// What a command printed that must have succeeded.
#[track_caller]
fn good(output: Output) -> String {
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    out
}

/// What a command complained of that must have failed, and what it printed before.
#[track_caller]
fn bad(output: Output) -> String {
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "{out}\n{error}");
    out + &error
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether plugins in this language can be built here. Says so where they cannot.
fn can_build(language: &str) -> bool {
    static LANGUAGES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let languages = LANGUAGES.get_or_init(|| {
        let output = Command::new(root().join("plugins/languages.sh")).output().unwrap();
        eprint!("{}", text(&output.stderr));
        good(output).lines().map(str::to_owned).chain(["rust".to_owned()]).collect()
    });
    let can = languages.contains(language);
    if !can {
        eprintln!("SKIPPED: no plugin in {language} can be built here");
    }
    can
}

/// A command that builds plugins as an author's shell would, but with the tools and with what was
/// built already of this repository.
fn shell(folder: &Path, script: &str) -> Command {
    let (tools, built) = (root().join("plugins/target/languages"), tollgate());
    let program = Path::new(built.get_program());
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("TOLLGATE", program)
        .env("CARGO_TARGET_DIR", root().join("plugins/target"))
        .env("COMPONENTIZE_QJS", tools.join("javascript/node_modules/.bin/componentize-qjs"))
        .env("COMPONENTIZE_PY", tools.join("python/bin/componentize-py"));
    shell
}
