//! Group commit: one thread writes what waits, and everybody waiting shares one sync.

mod answers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use self::answers::Answers;
use crate::event::EventId;
use crate::root::{Claim, Root};
use crate::store::{Conflict, Store, StoreError, Unit};

/// More units than this wait for the next batch, so that nobody waits for a very long write.
const BATCH_MAX: usize = 1024;

pub struct Committer {
    queue: Mutex<Option<mpsc::UnboundedSender<Entry>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: watch::Receiver<Option<StoreError>>,
    counts: Arc<Counts>,
}

/// What was committed since the start.
#[derive(Default)]
pub struct Counts {
    pub commits: AtomicU64,
    pub units: AtomicU64,
    pub micros: AtomicU64,
}

/// A unit's outcome, or why the store gave none.
pub type Outcome = Result<Result<EventId, Conflict>, StoreError>;

/// Resolves when the unit is on disk, or will never be.
pub type Answer = oneshot::Receiver<Outcome>;

/// Whoever waits for an answer.
struct Waiting {
    answer: oneshot::Sender<Outcome>,
    /// Where it is waited for; `None` for a thread that does nothing else.
    runtime: Option<Handle>,
}

enum Entry {
    Commit {
        unit: Unit,
        claim: Option<Claim>,
        /// `None` for a unit that touches nothing of any.
        root: Option<Arc<Mutex<Root>>>,
        waiting: Option<Waiting>,
    },
    Barrier(oneshot::Sender<()>),
}

impl Counts {
    /// Counts a commit of so many units, and how long it takes.
    fn time<T>(&self, units: usize, commit: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = commit();
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.units.fetch_add(units as u64, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
        outcome
    }
}

impl Committer {
    pub fn start<S: Store>(store: Arc<S>) -> std::io::Result<Self> {
        let (queue, entries) = mpsc::unbounded_channel();
        let (report, failure) = watch::channel(None);
        let counts = Arc::<Counts>::default();
        let counted = counts.clone();
        let thread = std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || run(&*store, entries, &report, &counted))?;
        let (queue, thread) = (Mutex::new(Some(queue)), Mutex::new(Some(thread)));
        Ok(Self { queue, thread, failure, counts })
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Queues a unit. Called under the root's lock, so that units of one root are committed in
    /// the order in which they were decided.
    pub fn commit(&self, unit: Unit, claim: Option<Claim>, root: Arc<Mutex<Root>>) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let waiting = Some(Waiting { answer, runtime: Handle::try_current().ok() });
        self.send(Entry::Commit { unit, claim, root: Some(root), waiting });
        outcome
    }

    /// Queues a unit that touches no account.
    pub fn commit_apart(&self, unit: Unit) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let waiting = Some(Waiting { answer, runtime: Handle::try_current().ok() });
        self.send(Entry::Commit { unit, claim: None, root: None, waiting });
        outcome
    }

    /// The same for a thread that blocks until it has the answer, whatever runtime it is of.
    pub fn commit_blocking(
        &self,
        unit: Unit,
        claim: Option<Claim>,
        root: Arc<Mutex<Root>>,
    ) -> Answer {
        let (answer, outcome) = oneshot::channel();
        self.send(Entry::Commit {
            unit,
            claim,
            root: Some(root),
            waiting: Some(Waiting { answer, runtime: None }),
        });
        outcome
    }

    /// The same, where nobody waits for it.
    pub fn note(&self, unit: Unit, claim: Option<Claim>, root: Arc<Mutex<Root>>) {
        self.send(Entry::Commit { unit, claim, root: Some(root), waiting: None });
    }

    /// Waits until everything queued before is on disk.
    pub async fn barrier(&self) -> Result<(), StoreError> {
        let (done, passed) = oneshot::channel();
        self.send(Entry::Barrier(done));
        passed.await.map_err(|_| self.failed())?;
        match &*self.failure.borrow() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Why an answer never came.
    pub fn failed(&self) -> StoreError {
        let failure = self.failure.borrow().clone();
        failure.unwrap_or_else(|| StoreError("the ledger is closed".into()))
    }

    /// Resolves once the store has failed.
    pub async fn failure(&self) -> StoreError {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(_) => self.failed(),
            Err(_) if self.queue.lock().is_some() => {
                StoreError("the commit thread panicked".into())
            }
            // The thread ended in peace: there will be no failure any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes nothing more, and waits until all that was queued is on disk.
    pub fn close(&self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the commit thread panicked");
        }
    }

    fn send(&self, entry: Entry) {
        // A closed queue drops the entry, and with it the sender that its answer waits for.
        if let Some(queue) = &*self.queue.lock() {
            let _ = queue.send(entry);
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

fn run<S: Store>(
    store: &S,
    mut entries: mpsc::UnboundedReceiver<Entry>,
    failure: &watch::Sender<Option<StoreError>>,
    counts: &Counts,
) {
    let mut batch = Vec::new();
    while let Some(first) = entries.blocking_recv() {
        batch.push(first);
        // Whoever is about to queue a unit does so now, and shares the sync: on a busy machine a
        // commit costs others more than it costs them to wait for this; on an idle one nothing.
        let mut before = 0;
        while before < batch.len() && batch.len() < BATCH_MAX {
            before = batch.len();
            std::thread::yield_now();
            while batch.len() < BATCH_MAX
                && let Ok(next) = entries.try_recv()
            {
                batch.push(next);
            }
        }
        commit(store, std::mem::take(&mut batch), failure, counts);
    }
}

fn commit<S: Store>(
    store: &S,
    batch: Vec<Entry>,
    failure: &watch::Sender<Option<StoreError>>,
    counts: &Counts,
) {
    let mut units = Vec::with_capacity(batch.len());
    let mut waiting = Vec::with_capacity(batch.len());
    let mut barriers = Vec::new();
    for entry in batch {
        match entry {
            Entry::Commit { unit, claim, root, waiting: who } => {
                units.push(unit);
                waiting.push((claim, root, who));
            }
            Entry::Barrier(done) => barriers.push(done),
        }
    }
    let failed = failure.borrow().clone();
    let outcome = match failed {
        Some(error) => Err(error),
        None if units.is_empty() => Ok(vec![]),
        None => counts.time(units.len(), || wait(store.commit(&units))),
    };
    if let Err(error) = &outcome
        && failure.borrow().is_none()
    {
        tracing::error!(%error, "the store failed; nothing more is acknowledged");
        failure.send_replace(Some(error.clone()));
    }
    let mut answers = Answers::default();
    for (at, (unit, (claim, root, who))) in units.into_iter().zip(waiting).enumerate() {
        let outcome = match &outcome {
            Ok(outcomes) => Ok(outcomes[at]),
            Err(error) => Err(error.clone()),
        };
        if let Some(root) = root {
            root.lock().finish(&unit, claim.as_ref(), matches!(outcome, Ok(Ok(_))));
        }
        if let Some(Waiting { answer, runtime }) = who {
            answers.add(unit, answer, outcome, runtime);
        }
    }
    answers.give();
    for done in barriers {
        let _ = done.send(());
    }
}

/// Drives a future on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
