//! `tollgate restore`: a folder of data out of a backup.

use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use tollgate_ledger::store::sled::{Restored, Stage, restore};

use super::interrupt::until_interrupted;
use super::progress;
use crate::settings::Place;

#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    #[command(flatten)]
    pub place: Place,

    /// The backup; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Prints what was restored. Where that fails, the folder is as it was.
pub async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    let (from, data) = (args.from, args.place.data);
    let nothing = format!("nothing was restored from {}", from.display());
    let place = data.display().to_string();
    let restored = until_interrupted(move |stop| {
        let bar = progress::of_blocks("restoring")?;
        let restored = restore(stop.reading(open(&from)?), &data, |stage, done, all| {
            bar.set_message(match stage {
                Stage::Restoring => "restoring",
                Stage::Checking => "checking",
            });
            bar.set_length(all);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        Ok(restored)
    });
    let Restored { blocks, events, accounts } = restored.await.context(nothing)?;
    writeln!(
        stdout(),
        "{events} events of {accounts} accounts in {blocks} blocks are restored in {place}"
    )?;
    Ok(())
}

fn open(from: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    Ok(match from == Path::new("-") {
        true => Box::new(stdin()),
        false => Box::new(File::open(from)?),
    })
}
