//! `tollgate plugin build`: from what a compiler makes to what the service loads.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

#[derive(Args)]
pub struct BuildArgs {
    /// The module, as the compiler made it
    module: PathBuf,
    /// Where the component goes
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub fn run(BuildArgs { module, output }: &BuildArgs) -> anyhow::Result<()> {
    let bytes =
        std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = tollgate_engine::component_from_module(&bytes)
        .with_context(|| module.display().to_string())?;
    replace(output, &component).with_context(|| format!("cannot write {}", output.display()))
}

/// Writes a file in one step: whoever watches its folder never sees half of it.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.tmp", std::process::id()));
    let written =
        std::fs::write(&unfinished, content).and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        // What could not be written may not be there either.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}
