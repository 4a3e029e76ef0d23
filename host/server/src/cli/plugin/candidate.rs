//! The policy that a command is about: a component and its manifest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use tollgate_engine::{NotTaken, Trial, Workbench};

#[derive(Args)]
pub struct CandidateArgs {
    /// A component, or the manifest of the policy that runs it
    pub file: PathBuf,

    /// The manifest of a component [default: the .toml beside it, or else no configuration and the
    /// usual limits]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

pub struct Candidate {
    /// The policy's name.
    pub name: String,
    pub manifest: String,
    pub plugin: Vec<u8>,
}

impl CandidateArgs {
    pub fn read(&self, workbench: &Workbench) -> anyhow::Result<Candidate> {
        if self.file.extension().is_some_and(|extension| extension == "toml") {
            let (name, manifest) = (stem(&self.file), read_text(&self.file)?);
            let plugin =
                workbench.plugin_of(&name, &manifest).map_err(|why| refused(&name, &why))?;
            let plugin = read(&self.file.with_file_name(plugin))?;
            return Ok(Candidate { name, manifest, plugin });
        }
        let plugin = read(&self.file)?;
        let beside = self.file.with_extension("toml");
        let path = self.manifest.as_ref().or_else(|| beside.is_file().then_some(&beside));
        let (name, manifest) = match path {
            Some(path) => (stem(path), read_text(path)?),
            None => {
                let name = stem(&self.file);
                let of_itself = workbench.inspect(&plugin).map_err(|why| refused(&name, &why))?;
                let kind = of_itself.kind;
                (name, format!("kind = \"{kind}\"\nplugin = \"plugin.wasm\"\n"))
            }
        };
        Ok(Candidate { name, manifest, plugin })
    }

    /// A file of that name beside this one.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.file.with_file_name(name)
    }
}

impl Candidate {
    pub fn take(&self, workbench: &Workbench) -> anyhow::Result<Trial> {
        let taken = workbench.take(&self.name, &self.manifest, &self.plugin);
        taken.map_err(|why| refused(&self.name, &why))
    }
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

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
