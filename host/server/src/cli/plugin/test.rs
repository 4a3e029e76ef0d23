//! `tollgate plugin test`: cases, and where the answers are not those expected.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use tollgate_engine::Trial;

use super::answer;
use super::candidate::{CandidateArgs, read_text, take};
use super::case::Case;
use super::difference::differences;
use super::workbench;

#[derive(Args)]
pub struct TestArgs {
    #[command(flatten)]
    candidate: CandidateArgs,

    /// The cases, as TOML [default: cases.toml beside the policy]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
}

pub fn run(args: &TestArgs) -> anyhow::Result<()> {
    let path = args.cases.clone().unwrap_or_else(|| args.candidate.beside("cases.toml"));
    let cases = read_cases(&path)?;
    let workbench = workbench()?;
    let trial = take(&args.candidate.read(&workbench)?, &workbench)?;
    let mut failed = 0;
    let mut out = stdout().lock();
    for case in &cases {
        let difference = put(case, &trial)
            .with_context(|| format!("{}: the case `{}`", path.display(), case.name))?;
        match difference {
            None => writeln!(out, "ok      {}", case.name)?,
            Some(difference) => {
                failed += 1;
                writeln!(out, "FAILED  {}\n{difference}", case.name)?;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} cases failed", cases.len());
    }
    Ok(writeln!(out, "{} cases passed", cases.len())?)
}

/// The cases of a file, of which there are some and which all expect something.
pub fn read_cases(path: &std::path::Path) -> anyhow::Result<Vec<Case>> {
    let shown = || path.display().to_string();
    let cases = Case::all_from_toml(&read_text(path)?).with_context(shown)?;
    if cases.is_empty() {
        bail!("{} has no [[case]]", path.display());
    }
    Ok(cases)
}

/// What differs from the expected answer, indented, with the whole answer beneath.
fn put(case: &Case, trial: &Trial) -> anyhow::Result<Option<String>> {
    let expected = case.expect.as_ref().context("`expect` is missing")?;
    let measured = trial.ask(&case.question(trial.kind())?);
    let answer =
        measured.map_or_else(answer::not_asked, |measured| answer::shown(&measured.answer));
    let found = differences(expected, &answer);
    if found.is_empty() {
        return Ok(None);
    }
    let lines = found.iter().map(|line| format!("          {line}\n"));
    Ok(Some(format!("{}        the answer: {answer}", lines.collect::<String>())))
}
