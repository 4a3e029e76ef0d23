//! `tollgate export`: all events, from the ledger's folder or from a running service.

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use tollgate_ledger::Events;
use tollgate_ledger::store::sled::SledStore;

use crate::http::Selection;
use crate::settings::Place;

#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    pub place: Place,

    #[command(flatten)]
    selection: Selection,

    /// A running service to take the events from, instead of the folder
    #[arg(long)]
    url: Option<Url>,

    /// Where the events go [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => {
            let file = File::create(path);
            Box::new(file.with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(stdout()),
    };
    let mut out = BufWriter::new(&mut out);
    match &args.url {
        Some(url) => from_service(url, &args.selection, &mut out).await?,
        None => from_folder(&args, &mut out)?,
    }
    Ok(out.flush()?)
}

fn from_folder(args: &ExportArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let store = Arc::new(SledStore::inspect(&args.place.data)?);
    let mut events = Events::new(store, args.selection.span());
    while let Some(page) = events.page()? {
        for (id, fact) in &page {
            let alerts = events.alerts_of(*id, fact)?;
            args.selection.format.write(out, *id, fact, alerts)?;
        }
    }
    Ok(())
}

async fn from_service(
    url: &Url,
    selection: &Selection,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let url = format!("{}/v1/export", url.as_str().trim_end_matches('/'));
    let request = reqwest::Client::new().get(&url).query(selection);
    let mut answer = request.send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{url} answered {status}: {}", answer.text().await?);
    }
    while let Some(chunk) = answer.chunk().await.context("the export broke off")? {
        out.write_all(&chunk)?;
    }
    Ok(())
}
