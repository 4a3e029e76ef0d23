//! `tollgate plugin bench`: what calls take of what they may.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use tollgate_engine::{Measured, Question, Trial};

use super::candidate::{CandidateArgs, take};
use super::figures::{mib, micros, thousands};
use super::test::read_cases;
use super::workbench;

#[derive(Args)]
pub struct BenchArgs {
    #[command(flatten)]
    candidate: CandidateArgs,

    /// What is asked, as TOML [default: cases.toml beside the policy]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,

    /// How often each case is asked
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    calls: u32,
}

pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let path = args.cases.clone().unwrap_or_else(|| args.candidate.beside("cases.toml"));
    let cases = read_cases(&path)?;
    let workbench = workbench()?;
    let candidate = args.candidate.read(&workbench)?;
    let trial = take(&candidate, &workbench)?;
    let width = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max(16);
    let mut out = stdout().lock();
    let (name, kind, calls) = (&candidate.name, trial.kind(), thousands(args.calls.into()));
    writeln!(out, "{name}, of the kind {kind}: {calls} calls a case, on one warm instance")?;
    writeln!(
        out,
        "{:width$} {:>12} {:>12} {:>14} {:>12}",
        "", "time median", "time 99 %", "fuel at most", "memory"
    )?;
    for case in &cases {
        let question = case.question(trial.kind()).with_context(|| path.display().to_string())?;
        let figures = measure(&trial, &question, args.calls)
            .with_context(|| format!("the case `{}`", case.name))?;
        let at = |percent: usize| figures.times[(figures.times.len() - 1) * percent / 100];
        let (median, high, fuel) = (at(50), at(99), thousands(figures.fuel_max));
        let memory = mib(figures.memory_bytes_max);
        let (median, high, name) = (micros(median), micros(high), &case.name);
        writeln!(out, "{name:width$} {median:>12} {high:>12} {fuel:>14} {memory:>12}")?;
    }
    let limits = trial.limits();
    let (fuel, memory) = (thousands(limits.fuel_per_call), mib(limits.memory_bytes));
    let deadline = micros(limits.deadline);
    writeln!(out, "{:width$} {:>12} {deadline:>12} {fuel:>14} {memory:>12}", "limit", "")?;
    Ok(())
}

struct Figures {
    /// The shortest first; there is at least one.
    times: Vec<std::time::Duration>,
    fuel_max: u64,
    memory_bytes_max: u64,
}

fn measure(trial: &Trial, question: &Question, calls: u32) -> anyhow::Result<Figures> {
    for _ in 0..calls.div_ceil(10) {
        ask(trial, question)?;
    }
    let mut figures = Figures { times: Vec::new(), fuel_max: 0, memory_bytes_max: 0 };
    for _ in 0..calls {
        let Measured { time, fuel, memory_bytes, .. } = ask(trial, question)?;
        figures.times.push(time);
        figures.fuel_max = figures.fuel_max.max(fuel);
        figures.memory_bytes_max = figures.memory_bytes_max.max(memory_bytes);
    }
    figures.times.sort_unstable();
    Ok(figures)
}

fn ask(trial: &Trial, question: &Question) -> anyhow::Result<Measured> {
    let Some(measured) = trial.ask(question) else {
        bail!("the policy is not asked about it: its manifest applies to others");
    };
    match &measured.answer {
        Ok(_) => Ok(measured),
        Err(failed) => Err(failed.clone()).context("the policy failed"),
    }
}
