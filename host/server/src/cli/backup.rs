//! `tollgate backup`: all that a ledger is made of, from its folder or from a running service.

use std::io::{self, IsTerminal, Read, Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes};
use clap::Args;
use reqwest::Url;
use tokio::runtime::Handle;
use tollgate_ledger::Backup;
use tollgate_ledger::backup::{Reader, Summary};
use tollgate_ledger::store::sled::SledStore;

use super::interrupt::until_interrupted;
use super::new_file::NewFile;
use super::progress;
use crate::settings::Place;

#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    #[command(flatten)]
    pub place: Place,

    /// A running service to take the backup from, instead of the folder
    #[arg(long)]
    url: Option<Url>,

    /// Where the backup goes: there once it is whole [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The pages of a backup.
type Pages = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let pages = match &args.url {
        Some(url) => from_service(url).await?,
        None => from_folder(&args.place.data)?,
    };
    let source = Source { pages, page: Bytes::new() };
    let Summary { blocks, events, bytes } = until_interrupted(move |stop| {
        let source = stop.reading(source);
        match &args.output {
            Some(path) => to_file(source, path),
            None => to_standard_output(source),
        }
    })
    .await
    .context("there is no backup")?;
    eprintln!("{events} events in {blocks} blocks are backed up, in {bytes} bytes");
    Ok(())
}

fn from_folder(data: &Path) -> anyhow::Result<Pages> {
    let store = SledStore::inspect(data)
        .context("cannot back up a folder (of a running service, use --url)")?;
    let mut backup = Backup::new(Arc::new(store))?;
    Ok(Box::new(move || Ok(backup.page().map_err(io::Error::other)?.map(Bytes::from))))
}

async fn from_service(url: &Url) -> anyhow::Result<Pages> {
    let url = format!("{}/v1/backup", url.as_str().trim_end_matches('/'));
    let mut answer = reqwest::Client::new().get(&url).send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{url} answered {status}: {}", answer.text().await?);
    }
    let runtime = Handle::current();
    Ok(Box::new(move || {
        let broke_off = |error| io::Error::other(format!("{url} broke off: {error}"));
        runtime.block_on(answer.chunk()).map_err(broke_off)
    }))
}

fn to_file(source: impl Read, path: &Path) -> anyhow::Result<Summary> {
    let cannot_write = || format!("cannot write {}", path.display());
    let mut file = NewFile::create(path).with_context(cannot_write)?;
    let summary = copy(source, &mut file)?;
    file.publish().with_context(cannot_write)?;
    Ok(summary)
}

fn to_standard_output(source: impl Read) -> anyhow::Result<Summary> {
    let mut out = stdout().lock();
    ensure!(!out.is_terminal(), "it is nothing to look at: name a file with --output");
    let summary = copy(source, &mut out)?;
    out.flush()?;
    Ok(summary)
}

/// Copies a backup, and reads it as a restore would: what is whole has an end that says so.
fn copy(source: impl Read, out: impl Write) -> anyhow::Result<Summary> {
    let mut backup = Reader::open(Tee { source, out })?;
    let bar = progress::of_blocks("backing up")?;
    bar.set_length(backup.head().blocks);
    while backup.record()?.is_some() {
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(backup.finish()?)
}

/// Pages as one piece.
struct Source {
    pages: Pages,
    page: Bytes,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.page.is_empty() {
            match (self.pages)()? {
                Some(page) => self.page = page,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.page.len());
        self.page.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Whatever is read goes out.
struct Tee<R, W> {
    source: R,
    out: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        let written = self.out.write_all(&buffer[..length]);
        written.map_err(|error| io::Error::other(format!("it cannot be written: {error}")))?;
        Ok(length)
    }
}
