//! `tollgate config`: what is in force.

use std::io::Write;

use clap::ArgMatches;

use crate::settings::FileSettings;

pub fn run(matches: &ArgMatches, file: &FileSettings) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(file.describe(matches).as_bytes())?)
}
