//! `tollgate prices import`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::source::Source;
use super::units::Units;
use super::{genai, litellm, read, write};
use crate::cli::new_file::NewFile;

#[derive(Args)]
pub struct ImportArgs {
    /// The catalogue, as it was published
    file: PathBuf,
    /// Whose form it has
    #[arg(long)]
    format: Format,
    /// The units of that catalogue; those it usually has are known
    #[arg(long, value_name = "FILE")]
    units: Option<PathBuf>,
    /// The folder of the policies
    #[arg(long, value_name = "DIR", env = "TOLLGATE_POLICIES", default_value = "policies")]
    policies: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    GenaiPrices,
    Litellm,
}

/// What a catalogue says and ours cannot: a reason, and where it stands.
#[derive(Default)]
pub struct Unexpressed(BTreeMap<String, Vec<String>>);

impl Unexpressed {
    pub fn note(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.0.entry(reason.into()).or_default().push(place.into());
    }

    fn report(&self) {
        for (reason, places) in &self.0 {
            eprintln!("not expressed: {reason}: {} ({})", places.len(), places.join(", "));
        }
    }
}

pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let text = read_text(&args.file)?;
    let units = match &args.units {
        Some(file) => Units::read(&Source::new(file, &read_text(file)?))?,
        None => Units::default(),
    };
    let mut unexpressed = Unexpressed::default();
    let source = Source::new(&args.file, &text);
    let (name, catalogue) = match args.format {
        Format::GenaiPrices => ("genai-prices", genai::read(&source, &units, &mut unexpressed)?),
        Format::Litellm => ("litellm", litellm::read(&source, &mut unexpressed)?),
    };
    let toml = write::to_toml(&catalogue);
    // What cannot be read again is not left for a running service to refuse.
    let again = read::catalogue(name, &toml).context("what was imported makes no sense")?;
    anyhow::ensure!(again.prices == catalogue.prices, "a price would not be the same when read");
    let path = args.policies.join("prices").join(format!("{name}.toml"));
    publish(&path, &toml).with_context(|| format!("cannot write {}", path.display()))?;
    unexpressed.report();
    let models: std::collections::BTreeSet<_> =
        catalogue.prices.iter().map(|price| (&price.provider, &price.model)).collect();
    let providers: std::collections::BTreeSet<_> =
        catalogue.prices.iter().map(|price| &price.provider).collect();
    println!(
        "{}: {} prices of {} models of {} providers, and how {} kinds of answers are read",
        path.display(),
        catalogue.prices.len(),
        models.len(),
        providers.len(),
        catalogue.extractors.len()
    );
    Ok(())
}

fn publish(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = NewFile::create(path)?;
    file.write_all(content.as_bytes())?;
    file.publish()
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
