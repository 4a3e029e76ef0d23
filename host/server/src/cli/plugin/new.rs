//! stub
use clap::Args;
#[derive(Args)]
pub struct NewArgs { name: String }
pub fn run(_args: &NewArgs) -> anyhow::Result<()> { Ok(()) }
