//! `tollgate plugin inspect`: what a plugin is.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};
use tollgate_engine::Inspection;

use super::candidate::read;
use super::figures::{mib, thousands};
use super::workbench;

#[derive(Args)]
pub struct InspectArgs {
    /// The component
    file: PathBuf,

    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let plugin = read(&args.file)?;
    let inspected = workbench()?
        .inspect(&plugin)
        .map_err(|why| anyhow!("{} is no plugin: it {}", args.file.display(), why.reason))?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&as_json(&inspected, plugin.len()))?,
        false => as_text(&inspected, plugin.len())?,
    };
    Ok(writeln!(stdout(), "{text}")?)
}

fn as_text(plugin: &Inspection, bytes: usize) -> anyhow::Result<String> {
    let list = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => names.join("\n           "),
    };
    let mut text = [
        format!("plugin     {} {}", plugin.name, plugin.version),
        format!("kind       {}", plugin.kind),
        format!("interface  {}", plugin.api_version),
        format!("sha256     {}", plugin.digest),
        format!("size       {} bytes", thousands(bytes as u64)),
        format!("memory     {} once it was started", mib(plugin.memory_bytes)),
        format!("imports    {}", list(&plugin.imports)),
        format!("needs      {}", list(&plugin.needs)),
    ]
    .join("\n");
    if let Some(schema) = schema(plugin) {
        text.push_str("\nconfig\n");
        text.push_str(&serde_json::to_string_pretty(&schema)?);
    }
    Ok(text)
}

fn as_json(plugin: &Inspection, bytes: usize) -> Value {
    json!({
        "name": plugin.name,
        "version": plugin.version,
        "kind": plugin.kind,
        "api_version": plugin.api_version,
        "sha256": plugin.digest,
        "bytes": bytes,
        "memory_bytes": plugin.memory_bytes,
        "imports": plugin.imports,
        "needs": plugin.needs,
        "config_schema": schema(plugin),
    })
}

/// What is no JSON is shown as the text that it is.
fn schema(plugin: &Inspection) -> Option<Value> {
    let text = plugin.config_schema.as_ref()?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())))
}
