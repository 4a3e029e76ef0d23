//! `tollgate plugin run`: one call, and what a policy says to it.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::answer;
use super::candidate::{CandidateArgs, read_text, take};
use super::case::Case;
use super::figures::{mib, micros, thousands};
use super::workbench;

#[derive(Args)]
pub struct RunArgs {
    #[command(flatten)]
    candidate: CandidateArgs,

    /// The call, as JSON: one case as in a file of cases, without what is expected
    #[arg(long, value_name = "FILE")]
    call: PathBuf,
}

pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    let text = read_text(&args.call)?;
    let case = Case::from_json(&text).with_context(|| args.call.display().to_string())?;
    let workbench = workbench()?;
    let trial = take(&args.candidate.read(&workbench)?, &workbench)?;
    let question = case.question(trial.kind()).with_context(|| args.call.display().to_string())?;
    let Some(measured) = trial.ask(&question) else {
        bail!("the policy is not asked about this call: its manifest applies to others");
    };
    let answer = serde_json::to_string_pretty(&answer::shown(&measured.answer))?;
    writeln!(stdout(), "{answer}")?;
    let (time, memory) = (micros(measured.time), mib(measured.memory_bytes));
    let fuel = thousands(measured.fuel);
    eprintln!("{time}, {fuel} of fuel, {memory} of memory");
    match measured.answer {
        Ok(_) => Ok(()),
        Err(failed) => Err(failed).context("the policy failed"),
    }
}
