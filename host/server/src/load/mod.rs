//! `tollgate load`: drives a running service with a recorded trace of calls, each reserved and
//! then settled, and reports what came of it.

mod client;
mod deal;
mod drive;
mod latency;
mod report;
mod speed;
mod tally;
mod trace;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::ensure;
use reqwest::Url;

use self::deal::Deal;
use self::drive::Run;
use self::speed::Speed;

/// Drive a running service with a trace of calls
///
/// Every row becomes a call that is reserved and then settled with the row's tokens. Row and
/// subject decide plan, model and order, so that two runs on fresh services add up to the same.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// The trace: CSV rows of `TIMESTAMP,ContextTokens,GeneratedTokens`
    #[arg(long, value_name = "FILE", env = "TOLLGATE_LOAD_TRACE")]
    trace: PathBuf,

    /// Where the service listens
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "TOLLGATE_LOAD_URL")]
    url: Url,

    /// How many subjects share the calls: `load-0`, `load-1` and so on
    #[arg(long, value_name = "N", default_value = "20", env = "TOLLGATE_LOAD_SUBJECTS")]
    subjects: NonZeroUsize,

    /// How many calls may be under way at once, each subject's one after the other
    #[arg(long, value_name = "N", default_value = "16", env = "TOLLGATE_LOAD_CONCURRENCY")]
    concurrency: NonZeroUsize,

    /// `flat` out, in `realtime` as recorded, or faster or slower by a factor: `10x`, `0.5x`
    #[arg(long, default_value = "flat", env = "TOLLGATE_LOAD_SPEED")]
    speed: Speed,

    /// Print the report as JSON
    #[arg(long, env = "TOLLGATE_LOAD_JSON")]
    json: bool,
}

/// Runs the trace to its end, or until Ctrl-C, and prints the report. An error where a call
/// failed or was never made.
pub async fn run(args: LoadArgs) -> anyhow::Result<()> {
    let report = drive::drive(Run {
        rows: trace::read(&args.trace)?,
        client: client::Client::new(&args.url)?,
        deal: Deal::new(args.subjects),
        workers: args.concurrency.min(args.subjects),
        speed: args.speed,
    })
    .await?;
    if args.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    let (made, failed) = (report.tally.calls(), report.tally.failed());
    ensure!(failed == 0, "{failed} of {made} calls failed");
    ensure!(made == report.rows, "interrupted after {made} of {} calls", report.rows);
    Ok(())
}
