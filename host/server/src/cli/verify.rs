//! `tollgate verify`: whether the ledger's data add up.

use std::io::{Write, stdout};

use anyhow::ensure;
use tollgate_ledger::forgettable;
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::SledStore;

use super::progress;
use crate::clock::Clock;
use crate::settings::Place;

/// Prints every difference, or else what was added up. Changes nothing.
pub fn run(place: &Place) -> anyhow::Result<()> {
    let store = SledStore::inspect(&place.data)?;
    // A service may have run ahead of this clock (`--clock-start`), and have forgotten by its own.
    let may_lack = forgettable(Clock::system().now().max(store.last_instant()));
    let bar = progress::of_blocks("verifying")?;
    let verified = store.verify(&may_lack, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let mut out = stdout().lock();
    for difference in &verified.differences {
        writeln!(out, "{difference}")?;
    }
    let (differences, named) = (verified.differences_total, verified.differences.len());
    ensure!(
        differences == 0,
        "{} is not what its {} blocks say: {differences} differences, {named} of them named",
        place.data.display(),
        verified.blocks,
    );
    writeln!(
        out,
        "{} events of {} accounts in {} blocks add up: {} tokens, {} USD",
        verified.events,
        verified.accounts,
        verified.blocks,
        verified.totals.tokens(),
        verified.totals.cost.0,
    )?;
    Ok(())
}
