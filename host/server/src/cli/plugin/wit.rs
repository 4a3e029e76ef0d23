//! `tollgate plugin wit`: the contract between plugins and the service.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tollgate_engine::Kind;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::Files;

/// The files of `wit/`, with their documentation. The first has what all kinds share.
pub const CONTRACT: [(&str, &str); 4] = [
    ("policy.wit", include_str!("../../../../../wit/policy.wit")),
    ("tier-policy.wit", include_str!("../../../../../wit/tier-policy.wit")),
    ("pricing-policy.wit", include_str!("../../../../../wit/pricing-policy.wit")),
    ("alert-policy.wit", include_str!("../../../../../wit/alert-policy.wit")),
];

#[derive(Args)]
pub struct WitArgs {
    /// The folder to write it into, one file a world [default: print it]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Write the contract in C instead: what `wit-bindgen c` makes of the world of this kind
    #[arg(long, value_name = "KIND", requires = "output")]
    c: Option<Kind>,
}

pub fn run(args: &WitArgs) -> anyhow::Result<()> {
    match (&args.output, args.c) {
        (None, _) => {
            let mut out = stdout().lock();
            for (name, text) in CONTRACT {
                writeln!(out, "// {name}\n\n{text}")?;
            }
            Ok(())
        }
        (Some(folder), None) => {
            CONTRACT.iter().try_for_each(|(name, text)| write(folder, name, text.as_bytes()))
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

/// The contract as a single package: each of its files says which package it belongs to, and one
/// file may say so once.
fn in_one_file() -> String {
    let declares = |line: &&str| line.starts_with("package ");
    let rest = CONTRACT[1..].iter().flat_map(|(_, text)| text.lines().filter(|it| !declares(it)));
    let lines = CONTRACT[0].1.lines().chain(rest);
    lines.flat_map(|line| [line, "\n"]).collect()
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
    fn the_whole_contract_is_published() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        let mut published: Vec<_> = CONTRACT.iter().map(|(name, _)| (*name).into()).collect();
        published.sort();
        assert_eq!(files, published);
    }
}
