//! `tollgate plugin new`: a folder with a plugin that builds, and passes its own tests.

mod scaffold;
mod sdk;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use tollgate_engine::Kind;

use super::wit;
use scaffold::Names;

#[derive(Args)]
pub struct NewArgs {
    /// What the policy decides: `tier`, `pricing`, `adjustment` (of prices) or `alert`
    #[arg(long, value_parser = kind_of)]
    kind: Kind,

    /// What it is written in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    language: Language,

    /// Its name: lower-case letters, digits and dashes
    name: String,

    /// The folder to make [default: one of its name, here]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,

    /// The crate `tollgate-plugin` to build upon [default: a copy, as it was when this program was
    /// built]
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    C,
    #[value(name = "javascript")]
    JavaScript,
    Python,
}

pub fn run(args: &NewArgs) -> anyhow::Result<()> {
    check_name(&args.name)?;
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    ensure!(!folder.exists(), "{} is there already", folder.display());
    let sdk = match (&args.sdk, args.language) {
        (Some(path), Language::Rust) => std::path::absolute(path)?.display().to_string(),
        (Some(_), _) => bail!("only a plugin in Rust builds upon the crate that --sdk names"),
        (None, _) => sdk::PLACE.to_owned(),
    };
    let names = Names { name: &args.name, kind: args.kind, language: args.language, sdk: &sdk };
    for (path, text) in scaffold::files(&names)? {
        wit::write(&folder, &path, text.as_bytes())?;
        if path.ends_with(".sh") {
            make_executable(&folder.join(path))?;
        }
    }
    add_contract(&folder, args)?;
    let text = next_steps(args, &folder);
    Ok(stdout().write_all(text.as_bytes())?)
}

/// Any kind there is, also the one that a manifest names by its stage.
pub fn kind_of(text: &str) -> Result<Kind, &'static str> {
    match text {
        "adjustment" => Ok(Kind::Adjustment),
        _ => text.parse().map_err(|_| "must be tier, pricing, adjustment or alert"),
    }
}

/// What the language needs of the contract, and a copy of the SDK where none was named.
fn add_contract(folder: &Path, args: &NewArgs) -> anyhow::Result<()> {
    if args.language == Language::C {
        let files = wit::c_bindings(args.kind)?;
        let bindings = folder.join("bindings");
        return files.iter().try_for_each(|(name, bytes)| wit::write(&bindings, name, bytes));
    }
    if args.language == Language::Rust {
        wit::write(folder, "Cargo.lock", sdk::LOCK.as_bytes())?;
        if args.sdk.is_some() {
            return Ok(());
        }
        for (path, text) in sdk::files()? {
            wit::write(folder, &path, text.as_bytes())?;
        }
    }
    let contract = folder.join("wit");
    wit::contract().try_for_each(|(name, text)| wit::write(&contract, name, text.as_bytes()))
}

/// The name becomes that of a crate, of files and of a policy.
fn check_name(name: &str) -> anyhow::Result<()> {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    ensure!(
        begins && name.len() <= 64 && name.bytes().all(allowed) && !name.ends_with('-'),
        "`{name}` must begin with a lower-case letter, and have at most 64 of a-z, 0-9 and -"
    );
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

fn next_steps(args: &NewArgs, folder: &Path) -> String {
    let name = &args.name;
    let folder = folder.display();
    let own_tests = match args.language {
        Language::Rust => "  cargo test\n",
        Language::C | Language::JavaScript | Language::Python => "",
    };
    format!(
        "{folder} has a plugin of the kind {kind}. Next:\n\n  cd {folder}\n{own_tests}  \
         ./build.sh\n  tollgate plugin test {name}.toml\n  cp {name}.wasm {name}.toml …/policies/\n",
        kind = args.kind,
    )
}
