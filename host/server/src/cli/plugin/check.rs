//! `tollgate plugin check`: would the service take this policy?

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::Args;

use super::candidate::{CandidateArgs, refused, take};
use super::workbench;

#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    candidate: CandidateArgs,

    /// The folder of the policies that it is to join: whether they go together is checked too
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

pub fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let workbench = workbench()?;
    let candidate = args.candidate.read(&workbench)?;
    let trial = take(&candidate, &workbench)?;
    let name = &candidate.name;
    if let Some(folder) = &args.policies {
        let joined = workbench.join(folder, &candidate);
        joined.map_err(|why| refused(name, &why))?;
    }
    let mut out = stdout().lock();
    writeln!(out, "{name} would be taken: a policy of the kind {}", trial.kind())?;
    for plan in trial.plans() {
        writeln!(out, "  plan {} ({}), quotas {}", plan.id, plan.name, plan.quotas.len())?;
    }
    Ok(())
}
