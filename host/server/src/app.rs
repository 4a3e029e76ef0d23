//! Wiring: which parts the service is made of, and how it starts and stops.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tollgate_engine::{Compiling, Options, Policies, PolicySet};
use tollgate_ledger::LedgerError;
use tollgate_ledger::store::sled::SledStore;

use crate::archive::Shelf;
use crate::clock::Clock;
use crate::http;
use crate::notify::Notifier;
use crate::service::Service;
use crate::settings::Settings;

/// The ledger, over the store that is in use.
pub type Ledger = tollgate_ledger::Ledger<SledStore>;

/// Its events, one after the other.
pub type Events = tollgate_ledger::Events<SledStore>;

/// All that it is made of, to restore from.
pub type Backup = tollgate_ledger::Backup<SledStore>;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What one compilation may take; a component of 32 MiB needs a fraction of it.
const COMPILER_MEMORY_MIB: u64 = 4096;

/// How long a second of the compiler's may last.
const COMPILER_PATIENCE: Duration = Duration::from_secs(4);

/// How long requests under way may take once the service is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves until a signal says stop, or the ledger fails.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let clock = settings.clock_start.map_or_else(Clock::system, Clock::starting_at);
    let ledger = Arc::new(open_ledger(settings)?);
    // It reads the certificates that the system trusts, which need not wait for the policies.
    let (told, settings_of_it) = (ledger.clone(), settings.notify.clone());
    let notifier = spawn_blocking(move || Notifier::new(told, clock, &settings_of_it));
    let archive = Arc::new(Shelf(ledger.store().clone()));
    let compiled = settings.place.data.join("compiled");
    let compiling = Some(compiling(Some(compiled), settings.compile_seconds)?);
    let log_context = http::request_id;
    let options = Options { compiling, log_context, ..Options::new(&settings.policies) };
    let policies = Policies::resume(options, Arc::new(move || clock.now()), archive)
        .with_context(|| format!("cannot use policies in {}", settings.policies.display()))?;
    let notifier = notifier.await.context("the notifications broke down")??;
    let _watch = policies.watch().context("cannot watch the policies")?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    // Whoever starts the service may wait for this line, and read the port from it.
    writeln!(std::io::stdout(), "tollgate listening on http://{}", listener.local_addr()?)?;

    let (stop, stopped) = watch::channel(false);
    let mut maintenance = maintain(ledger.clone(), policies.clone(), clock, stopped.clone());
    let notifier = Arc::new(notifier);
    let mut notifying = notifier.start(stopped.clone());
    let service = Service::new(ledger.clone(), policies, clock).notifying(notifier);
    let service = Arc::new(service);
    let server = http::serve(listener, service, settings.cors_origin.clone(), stopping(stopped));
    let mut server = tokio::spawn(server);

    let failure = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        error = ledger.failure() => Some(anyhow!(error).context("the ledger failed")),
        ended = &mut server => Some(anyhow!("the server ended by itself: {ended:?}")),
        ended = &mut maintenance => Some(match ended {
            Ok(Err(error)) => anyhow!(error).context("the ledger failed"),
            ended => anyhow!("the maintenance ended by itself: {ended:?}"),
        }),
        ended = &mut notifying => Some(match ended {
            Ok(Err(error)) => anyhow!(error).context("the ledger failed"),
            ended => anyhow!("the notifications ended by themselves: {ended:?}"),
        }),
    };
    tracing::info!("stopping");
    // Both receivers are still there; if one were not, it has stopped already.
    let _ = stop.send(true);
    if !server.is_finished() && timeout(FAREWELL, server).await.is_err() {
        tracing::warn!("some requests took too long and were cut off");
    }
    if let Some(error) = failure {
        return Err(error);
    }
    notifying.await.context("the notifications broke down")?.context("the ledger failed")?;
    maintenance.await.context("the maintenance broke down")?.context("the ledger failed")?;
    close(ledger, clock).await
}

/// Plugins are compiled by this very program, also if its file was replaced meanwhile.
/// `folder` is where machine code is kept, if it is.
pub fn compiling(folder: Option<PathBuf>, seconds_max: u32) -> anyhow::Result<Compiling> {
    const ITSELF: &str = "/proc/self/exe";
    let program = match Path::new(ITSELF).exists() {
        true => ITSELF.into(),
        false => std::env::current_exe().context("cannot tell which program this is")?,
    };
    Ok(Compiling {
        program,
        arguments: vec!["compile-plugin".into()],
        folder,
        seconds_max: seconds_max.into(),
        patience: COMPILER_PATIENCE * seconds_max + COMPILER_PATIENCE * 30,
        memory_mib_max: COMPILER_MEMORY_MIB,
    })
}

fn open_ledger(settings: &Settings) -> anyhow::Result<Ledger> {
    Ok(open_ledger_in(&settings.place.data)?.keeping_refusals(settings.refusals_days * DAY))
}

/// The ledger of a folder that no service has open.
pub fn open_ledger_in(folder: &Path) -> anyhow::Result<Ledger> {
    let store = SledStore::open(folder)
        .with_context(|| format!("cannot open the ledger in {}", folder.display()))?;
    Ledger::open(Arc::new(store)).context("cannot start the ledger")
}

/// Drives the ledger's work by the clock: the next tick a second after the last has ended. A tick
/// that fails is the last, as a commit would be.
fn maintain(
    ledger: Arc<Ledger>,
    policies: Arc<Policies>,
    clock: Clock,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<Result<(), LedgerError>> {
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            }
            let (ledger, set) = (ledger.clone(), policies.current());
            let tick = move || ledger.tick(set.as_deref().map(PolicySet::plans), clock.now());
            // Nothing cancels it, so that it ends or panics, which ends the process.
            if let Ok(outcome) = spawn_blocking(tick).await {
                outcome?;
            }
        }
    })
}

async fn stopping(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the same as one that says stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Everything that was queued is on disk when this returns.
pub async fn close(ledger: Arc<Ledger>, clock: Clock) -> anyhow::Result<()> {
    spawn_blocking(move || ledger.close(clock.now())).await?.context("cannot close the ledger")
}
