//! Looks at the folder again when something in it seems to have changed.
//!
//! What happened is never asked, only that something did: editors, `cp`, `mv` and the symlinks of
//! Kubernetes all look different, and end in files whose content can be compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::notes::is_note;
use crate::policies::Policies;

/// How long the folder must be quiet before it is looked at.
const QUIET: Duration = Duration::from_millis(300);
/// A folder that is never quiet is looked at nevertheless, after this many changes.
const CHANGES_MAX: usize = 1_000;
/// Some filesystems report nothing: the folder is looked at anyway.
const RESCAN: Duration = Duration::from_secs(30);

/// Watches the folder until it is dropped.
pub struct FolderWatch {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("cannot watch for changes of files")]
    Notify(#[from] notify::Error),
    #[error("cannot tell where the folder of policies is")]
    Folder(#[source] std::io::Error),
    #[error("cannot start the thread that watches the folder")]
    Thread(#[from] std::io::Error),
}

enum Signal {
    Changed,
    Stop,
}

impl Policies {
    /// Keeps looking at the folder in the background.
    pub fn watch(self: &Arc<Self>) -> Result<FolderWatch, WatchError> {
        let (signals, received) = mpsc::channel();
        let sender = signals.clone();
        // As what happened is reported, wherever this process began.
        let folder = std::path::absolute(self.folder()).map_err(WatchError::Folder)?;
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_of_no_interest(&event, &folder)) {
                return;
            }
            // Nobody listens only when the watch has ended.
            let _ = sender.send(Signal::Changed);
        })?;
        let policies = self.clone();
        let mut look = Look { policies, watcher };
        look.attach();
        let thread = thread::Builder::new()
            .name("policy-folder".into())
            .spawn(move || look.until_stopped(&received))?;
        Ok(FolderWatch { signals, thread: Some(thread) })
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic itself.
            let _ = thread.join();
        }
    }
}

struct Look {
    policies: Arc<Policies>,
    watcher: RecommendedWatcher,
}

impl Look {
    fn until_stopped(mut self, signals: &Receiver<Signal>) {
        loop {
            match signals.recv_timeout(RESCAN) {
                Ok(Signal::Changed) => {
                    if !wait_until_quiet(signals) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.attach();
            self.policies.reload();
        }
    }

    /// Watches what the folder's path leads to now: the folder may have been replaced, or have
    /// been missing before. Before it is read, so that no change falls in between. With the folders
    /// in it, from which manifests may include files.
    fn attach(&mut self) {
        let folder = self.policies.folder();
        let _ = self.watcher.unwatch(folder);
        if let Err(error) = self.watcher.watch(folder, RecursiveMode::Recursive) {
            tracing::warn!(%error, "the folder of policies is only looked at every {RESCAN:?}");
        }
        // Where a symlink leads is said by what lies beside it.
        if folder.is_symlink() {
            let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            let _ =
                self.watcher.watch(beside.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive);
        }
    }
}

/// False when the watch was stopped meanwhile.
fn wait_until_quiet(signals: &Receiver<Signal>) -> bool {
    for _ in 0..CHANGES_MAX {
        match signals.recv_timeout(QUIET) {
            Ok(Signal::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Reading is no change, or looking would never end; nor are the notes that were left, or what
/// happens beside the folder.
fn is_of_no_interest(event: &Event, folder: &Path) -> bool {
    let reads = matches!(event.kind, EventKind::Access(kind)
        if kind != AccessKind::Close(AccessMode::Write));
    let elsewhere =
        |path: &Path| !path.starts_with(folder) && path.file_name() != folder.file_name();
    let nothing = |path: &PathBuf| is_note(path) || elsewhere(path);
    reads || (!event.paths.is_empty() && event.paths.iter().all(nothing))
}
