//! `tollgate policies`: what decides in a running service, as a table.

use std::io::{Write, stdout};

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

#[derive(Args, Clone, Debug)]
pub struct PoliciesArgs {
    /// The service
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
}

/// As `GET /v1/policies` has it.
#[derive(Deserialize)]
struct Status {
    revision: Option<String>,
    activated_at: Option<String>,
    policies: Vec<Policy>,
    rejected: Vec<Rejection>,
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    kind: String,
    state: String,
    revision: String,
    activated_at: Option<String>,
    calls: u64,
    faults: u64,
    faults_by_kind: Value,
    p50_us: u64,
    p99_us: u64,
}

#[derive(Deserialize)]
struct Rejection {
    name: String,
    step: String,
    reason: String,
    seen_at: String,
}

const HEADINGS: [&str; 9] =
    ["POLICY", "KIND", "STATE", "REVISION", "CALLS", "FAULTS", "P50", "P99", "SINCE"];

pub async fn run(args: PoliciesArgs) -> anyhow::Result<()> {
    let url = format!("{}/v1/policies", args.url.as_str().trim_end_matches('/'));
    let answer = reqwest::get(&url).await.with_context(|| format!("cannot reach {url}"))?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    let status: Status =
        serde_json::from_str(&text).with_context(|| format!("{url} is no tollgate"))?;
    Ok(stdout().write_all(status.describe().as_bytes())?)
}

impl Status {
    fn describe(&self) -> String {
        let mut text = match (&self.revision, &self.activated_at) {
            (Some(revision), Some(since)) => {
                format!("revision {revision}, active since {since}\n\n")
            }
            _ => "no complete set of policies is active\n\n".to_owned(),
        };
        let rows: Vec<_> = self.policies.iter().map(Policy::row).collect();
        text += &table(&HEADINGS, &rows);
        if !self.rejected.is_empty() {
            text += "\nrefused:\n";
        }
        for Rejection { name, step, reason, seen_at } in &self.rejected {
            let reason = reason.replace('\n', "\n    ");
            text += &format!("  {name} is not {step}, since {seen_at}:\n    {reason}\n");
        }
        text
    }
}

impl Policy {
    fn row(&self) -> [String; 9] {
        let faults = match self.faults_by_kind.as_object() {
            Some(kinds) if !kinds.is_empty() => {
                let kinds = kinds.iter().map(|(kind, count)| format!("{kind} {count}"));
                format!("{} ({})", self.faults, kinds.collect::<Vec<_>>().join(", "))
            }
            _ => self.faults.to_string(),
        };
        [
            self.name.clone(),
            self.kind.clone(),
            self.state.clone(),
            self.revision.clone(),
            self.calls.to_string(),
            faults,
            format!("{} us", self.p50_us),
            format!("{} us", self.p99_us),
            self.activated_at.clone().unwrap_or_else(|| "-".into()),
        ]
    }
}

/// Columns as wide as what is in them.
fn table<const N: usize>(headings: &[&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(&headings.map(String::from));
    rows.iter().for_each(|row| text += &line(row));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["a".to_owned(), "bbbb".to_owned()], ["cc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&["ONE", "X"], &rows), "ONE  X\na    bbbb\ncc   d\n");
    }
}
