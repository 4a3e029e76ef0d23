//! `tollgate plugin wit`: the contract between plugins and the service.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use include_dir::{Dir, include_dir};
use tollgate_engine::Kind;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

use super::new::kind_of;

/// The files of `wit/`, with their documentation.
static CONTRACT: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// What each of its files says first, and one file may say once.
const PACKAGE: &str = "package tollgate:policy@0.1.0;";

/// The names and the texts of the contract's files.
pub fn contract() -> impl Iterator<Item = (&'static str, &'static str)> {
    CONTRACT.files().filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
}

#[derive(Args)]
pub struct WitArgs {
    /// The folder to write it into, one file a world [default: print it]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Write the contract in C instead: what `wit-bindgen c` makes of the world of this kind
    #[arg(long, value_name = "KIND", requires = "output", value_parser = kind_of)]
    c: Option<Kind>,
}

pub fn run(args: &WitArgs) -> anyhow::Result<()> {
    match (&args.output, args.c) {
        (None, _) => {
            let mut out = stdout().lock();
            for (name, text) in contract() {
                writeln!(out, "// {name}\n\n{text}")?;
            }
            Ok(())
        }
        (Some(folder), None) => {
            contract().try_for_each(|(name, text)| write(folder, name, text.as_bytes()))
        }
        (Some(folder), Some(kind)) => {
            c_bindings(kind)?.iter().try_for_each(|(name, bytes)| write(folder, name, bytes))
        }
    }
}

/// The header, the source and the object file of a kind's world, by their names.
pub fn c_bindings(kind: Kind) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("tollgate.wit", &in_one_file())?;
    let world = format!("{kind}-policy");
    let Some(world) = resolve.packages[package].worlds.get(&world).copied() else {
        bail!("the contract has no world {world}");
    };
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files).map_err(|error| anyhow!("{error:#}"))?;
    Ok(files.iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect())
}

/// The contract as a single file.
fn in_one_file() -> String {
    let texts = contract().map(|(_, text)| text.replacen(PACKAGE, "", 1));
    std::iter::once(PACKAGE.to_owned()).chain(texts).collect::<Vec<_>>().join("\n")
}

/// Writes a file, and the folder that it is in.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    let written = fs::create_dir_all(path.parent().unwrap_or(folder))
        .and_then(|()| fs::write(&path, content));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_contract_says_which_package_it_belongs_to() {
        assert!(contract().count() >= 5);
        for (name, text) in contract() {
            assert_eq!(text.matches(PACKAGE).count(), 1, "{name}");
        }
    }
}
