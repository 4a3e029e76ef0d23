//! The run itself: workers that make their subjects' calls in the trace's order.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Client, Reserved};
use super::deal::{self, Deal, Dealt};
use super::report::Report;
use super::speed::Speed;
use super::tally::Tally;
use super::trace::Row;

/// All that a run depends on.
pub struct Run {
    pub rows: Vec<Row>,
    pub client: Client,
    pub deal: Deal,
    pub workers: NonZeroUsize,
    pub speed: Speed,
}

/// Subscribes all subjects and then makes all calls; Ctrl-C ends the run after the calls that
/// are under way.
pub async fn drive(run: Run) -> anyhow::Result<Report> {
    let run = Arc::new(run);
    subscribe(&run).await?;

    let rows = run.rows.len() as u64;
    let progress = progress_bar(rows);
    let (stop, stopped) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for number in 0..run.workers.get() {
        let (run, stopped, progress) = (run.clone(), stopped.clone(), progress.clone());
        workers.spawn(async move { run.work(number, start, stopped, &progress).await });
    }
    let interrupted = tokio::spawn(async move {
        interrupt.recv().await;
        stop.send_replace(true);
    });
    let mut tally = Tally::default();
    for part in workers.join_all().await {
        tally.merge(part);
    }
    interrupted.abort();
    progress.finish_and_clear();
    Ok(Report { rows, elapsed: start.elapsed(), tally })
}

async fn subscribe(run: &Arc<Run>) -> anyhow::Result<()> {
    let mut workers = JoinSet::new();
    for number in 0..run.workers.get() {
        let run = run.clone();
        workers.spawn(async move {
            for subject in run.deal.subjects().filter(|subject| run.is_of(*subject, number)) {
                let context = || format!("cannot subscribe {}", deal::subject_name(subject));
                run.client.subscribe(subject).await.with_context(context)?;
            }
            anyhow::Ok(())
        });
    }
    workers.join_all().await.into_iter().collect()
}

impl Run {
    /// Whether a subject's calls are that worker's. Only one worker makes them, since their order
    /// decides which of them is refused.
    fn is_of(&self, subject: usize, worker: usize) -> bool {
        subject % self.workers == worker
    }

    async fn work(
        &self,
        worker: usize,
        start: Instant,
        mut stopped: watch::Receiver<bool>,
        progress: &ProgressBar,
    ) -> Tally {
        let mut tally = Tally::default();
        for (index, row) in self.rows.iter().enumerate() {
            let call = self.deal.row(index);
            if !self.is_of(call.subject, worker) {
                continue;
            }
            let due = self.speed.due(start, row.offset);
            let intended = tokio::select! {
                biased;
                Ok(_) = stopped.wait_for(|stop| *stop) => break,
                intended = wait_until(due) => intended,
            };
            self.call(call, *row, intended, &mut tally).await;
            progress.inc(1);
        }
        tally
    }

    /// Makes one call. The wait for the reservation counts from when the call should have begun.
    async fn call(&self, call: Dealt, row: Row, intended: Instant, tally: &mut Tally) {
        let reserved = self.client.reserve(call, row).await;
        tally.reserve.record(intended.elapsed());
        let held = match reserved {
            Ok(Reserved::Held(held)) => held,
            Ok(Reserved::Refused(denied)) => return tally.refused(call, denied),
            Err(failure) => return tally.failed_at("reserve", &failure),
        };
        let sent = Instant::now();
        let settled = self.client.settle(&held, row).await;
        tally.settle.record(sent.elapsed());
        match settled {
            Ok(settled) => tally.settled(row, &settled),
            Err(failure) => tally.failed_at("settle", &failure),
        }
    }
}

/// Waits until a call is due, and says from when on it waits for the service. That is the due
/// time where the worker was held up by an earlier answer, or a slow service would look fast;
/// a timer that wakes late is not the service's doing.
async fn wait_until(due: Option<Instant>) -> Instant {
    match due {
        Some(due) if due > Instant::now() => tokio::time::sleep_until(due.into()).await,
        Some(due) => return due,
        None => {}
    }
    Instant::now()
}

/// Hidden where standard error is no terminal.
fn progress_bar(rows: u64) -> ProgressBar {
    let template = "{bar:40} {pos}/{len} calls, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(rows).with_style(style)
}
