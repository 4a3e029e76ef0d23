//! The policy that a command is about: a component and its manifest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use tollgate_engine::{Draft, Kind, NotTaken, Trial, Workbench};

#[derive(Args)]
pub struct CandidateArgs {
    /// A component, or the manifest of the policy that runs it
    pub file: PathBuf,

    /// The manifest of a component [default: the .toml beside it, or else no configuration and the
    /// usual limits]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl CandidateArgs {
    /// What a manifest includes lies in the folder that the manifest is in.
    pub fn read(&self, workbench: &Workbench) -> anyhow::Result<Draft> {
        if self.file.extension().is_some_and(|extension| extension == "toml") {
            let (name, manifest) = (stem(&self.file), read_text(&self.file)?);
            let plugin =
                workbench.plugin_of(&name, &manifest).map_err(|why| refused(&name, &why))?;
            let plugin = read(&self.file.with_file_name(plugin))?.into();
            return Ok(Draft { name, manifest, plugin, folder: folder_of(&self.file) });
        }
        let plugin = read(&self.file)?;
        let beside = self.file.with_extension("toml");
        let path = self.manifest.as_ref().or_else(|| beside.is_file().then_some(&beside));
        let (name, manifest) = match path {
            Some(path) => (stem(path), read_text(path)?),
            None => {
                let name = stem(&self.file);
                let of_itself = workbench.inspect(&plugin).map_err(|why| refused(&name, &why))?;
                (name, format!("{}plugin = \"plugin.wasm\"\n", kind_lines(of_itself.kind)))
            }
        };
        let folder = folder_of(path.unwrap_or(&self.file));
        Ok(Draft { name, manifest, plugin: plugin.into(), folder })
    }

    /// A file of that name beside this one.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.file.with_file_name(name)
    }
}

pub fn take(candidate: &Draft, workbench: &Workbench) -> anyhow::Result<Trial> {
    workbench.take(candidate).map_err(|why| refused(&candidate.name, &why))
}

/// In the words of the service's own log.
pub fn refused(name: &str, why: &NotTaken) -> anyhow::Error {
    anyhow!("{name} would not be taken, since it could not be {}:\n{}", why.step, why.reason)
}

pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// How a manifest names a kind.
pub fn kind_lines(kind: Kind) -> String {
    match kind {
        Kind::Adjustment => "kind = \"pricing\"\nstage = \"adjust\"\n".to_owned(),
        Kind::Tier | Kind::Pricing | Kind::Alert => format!("kind = \"{kind}\"\n"),
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
