//! Notifications: what is on the ledger's outbox goes out, and what became of it is noted there.
//!
//! Nothing here keeps anything that the ledger does not have: whenever the process ends, what had
//! not been noted as sent is sent again. So everything arrives at least once.

mod backoff;
mod counts;
mod email;
mod guard;
mod message;
mod round;
mod signature;
mod webhook;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tollgate_domain::{Channel, ChannelKind, Preferences, Timestamp};
use tollgate_ledger::{Delivery, DeliveryId, LedgerError, Progress};

use self::backoff::Backoff;
pub use self::counts::Counted;
use self::counts::Counts;
use self::email::Emails;
pub use self::email::is_mailbox;
pub use self::guard::Guard;
use self::message::Message;
use self::round::Batch;
use self::webhook::Webhooks;
use crate::app::Ledger;
use crate::clock::Clock;
use crate::settings::NotifySettings;

/// How often the outbox is looked at while nothing happens.
const PAUSE: Duration = Duration::from_millis(500);

/// How many places of a kind are talked to at a time.
const PLACES_MAX: usize = 16;

/// How many deliveries are put off at a time, where nothing arrives.
const PUT_OFF_MAX: usize = 1024;

/// How long what is under way may take once the service is told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sends what is due.
pub struct Notifier {
    ledger: Arc<Ledger>,
    clock: Clock,
    guard: Guard,
    webhooks: Webhooks,
    emails: Option<Emails>,
    backoff: Backoff,
    counts: Counts,
    /// The places that are being talked to: one at a time goes to each.
    busy: Mutex<HashSet<Channel>>,
    /// Somebody knows that something is due.
    woken: Notify,
}

/// Why something did not arrive.
#[derive(Debug)]
pub struct Failure {
    pub error: String,
    /// Whether it would never arrive however often it were tried.
    pub is_permanent: bool,
    /// Whether nothing else would have arrived there, either.
    pub is_down: bool,
    /// When the place wants to hear again, at the earliest.
    pub retry_after: Option<Duration>,
}

impl Notifier {
    pub fn new(
        ledger: Arc<Ledger>,
        clock: Clock,
        settings: &NotifySettings,
    ) -> anyhow::Result<Self> {
        let guard = Guard { allows_private: settings.notify_private_addresses };
        let emails = settings.smtp_url.as_deref().map(|url| Emails::new(url, settings));
        Ok(Self {
            ledger,
            clock,
            guard,
            webhooks: Webhooks::new(guard, settings.timeout())?,
            emails: emails.transpose().context("cannot use `smtp_url`")?,
            backoff: Backoff::new(settings),
            counts: Counts::default(),
            busy: Mutex::default(),
            woken: Notify::new(),
        })
    }

    /// Which addresses webhooks may go to.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// What was sent since the start, and what was not.
    pub fn counted(&self) -> Vec<Counted> {
        self.counts.all()
    }

    /// For each kind of place, since when what is due there has been due.
    pub fn overdue(&self) -> Vec<(ChannelKind, Duration)> {
        self.counts.overdue(self.clock.now())
    }

    /// Says that something may be due.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Sends what is due, until it is told to stop or the ledger fails.
    pub fn start(
        self: &Arc<Self>,
        mut stopped: watch::Receiver<bool>,
    ) -> JoinHandle<Result<(), LedgerError>> {
        let notifier = self.clone();
        tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            let mut pauses = interval(PAUSE);
            pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = pauses.tick() => {}
                    () = notifier.woken.notified() => {}
                    Some(ended) = under_way.join_next() => {
                        // A task that breaks down ends the process.
                        ended.unwrap_or(Ok(()))?;
                    }
                    _ = stopped.wait_for(|stopped| *stopped) => break,
                }
                for batch in notifier.clone().round().await? {
                    under_way.spawn(notifier.clone().deliver(batch));
                }
            }
            // What is not noted by then is sent again by the next start.
            let _ = timeout(FAREWELL, under_way.join_all()).await;
            Ok(())
        })
    }

    /// What is due and can be sent now, for each place.
    async fn round(self: Arc<Self>) -> Result<Vec<Batch>, LedgerError> {
        let looked = spawn_blocking(move || round::look(&self)).await;
        let round = looked.unwrap_or_else(|_| Ok(Default::default()))?;
        Ok(round)
    }

    /// Sends what is due at one place, one message after the other.
    async fn deliver(self: Arc<Self>, batch: Batch) -> Result<(), LedgerError> {
        let delivered = self.send_all(&batch).await;
        self.busy.lock().remove(&batch.channel);
        self.wake();
        delivered
    }

    async fn send_all(self: &Arc<Self>, batch: &Batch) -> Result<(), LedgerError> {
        let mut noted = batch.noted.clone();
        let mut failure: Option<Failure> = None;
        for message in &batch.messages {
            if failure.as_ref().is_none_or(|failure| !failure.is_down) {
                failure = self.send(&batch.channel, &batch.preferences, message).await.err();
            }
            let now = self.clock.now();
            // What went as one goes as one again, and with the same id.
            let attempts = message.items.iter().map(|item| item.attempts).max().unwrap_or(0);
            let again_at = failure.as_ref().and_then(|f| self.again_at(attempts + 1, f, now));
            for item in &message.items {
                let progress = match &failure {
                    None => Progress::Sent,
                    Some(failure) => {
                        let severity = &item.alerted.raised.alert.severity;
                        let again_at =
                            again_at.map(|at| batch.preferences.not_before(severity, at));
                        Progress::failed(&failure.error, again_at)
                    }
                };
                noted.push((item.id, progress));
            }
            self.note(batch.channel.kind(), std::mem::take(&mut noted)).await?;
        }
        self.note(batch.channel.kind(), noted).await?;
        match failure.filter(|failure| failure.is_down) {
            Some(failure) => self.put_off(&batch.channel, &failure).await,
            None => Ok(()),
        }
    }

    /// What else is due at a place that is down has failed as well: however much it is, the place
    /// is asked once, and not once for each.
    async fn put_off(
        self: &Arc<Self>,
        channel: &Channel,
        failure: &Failure,
    ) -> Result<(), LedgerError> {
        let now = self.clock.now();
        loop {
            let (notifier, channel) = (self.clone(), channel.clone());
            let kind = channel.kind();
            let due = spawn_blocking(move || {
                let is_wanted = |_: DeliveryId, delivery: &Delivery| {
                    delivery.channel == channel && delivery.due_at <= now
                };
                notifier.ledger.deliveries_due(kind, now, PUT_OFF_MAX, is_wanted)
            });
            let due = due.await.unwrap_or_else(|_| Ok(vec![]))?;
            if due.is_empty() {
                return Ok(());
            }
            let progress = due.into_iter().map(|(id, delivery)| {
                let again_at = self.again_at(delivery.attempts + 1, failure, now);
                (id, Progress::failed(&failure.error, again_at))
            });
            self.note(kind, progress.collect()).await?;
        }
    }

    async fn send(
        &self,
        channel: &Channel,
        preferences: &Preferences,
        message: &Message,
    ) -> Result<(), Failure> {
        match channel {
            Channel::Email(address) => match &self.emails {
                Some(emails) => emails.send(address, message).await,
                None => Err(Failure::down("no SMTP server is set (`smtp_url`)")),
            },
            Channel::Webhook(url) => {
                let webhook = preferences.webhooks.iter().find(|webhook| webhook.url == *url);
                let secrets = webhook.map_or(&[][..], |webhook| &webhook.secrets);
                self.webhooks.send(url, secrets, message, self.clock.now()).await
            }
            Channel::Log => {
                message.log();
                Ok(())
            }
        }
    }

    /// When something is tried again that was tried so often in vain; `None` for never.
    fn again_at(&self, attempts: u32, failure: &Failure, now: Timestamp) -> Option<Timestamp> {
        if failure.is_permanent {
            return None;
        }
        let pause = self.backoff.after(attempts, failure.retry_after)?;
        // Never the same instant: what has failed is not due any more.
        Some(now.plus(pause.max(Duration::from_micros(1))))
    }

    async fn note(
        &self,
        kind: ChannelKind,
        progress: Vec<(DeliveryId, Progress)>,
    ) -> Result<(), LedgerError> {
        if progress.is_empty() {
            return Ok(());
        }
        self.counts.note(kind, &progress);
        for (id, progress) in &progress {
            match progress {
                Progress::Failed { error, again_at: Some(at) } => {
                    tracing::info!(%id, channel = kind.as_str(), error, again_at = %at, "a notification did not arrive");
                }
                Progress::Failed { error, again_at: None } => {
                    tracing::warn!(%id, channel = kind.as_str(), error, "a notification is dead");
                }
                _ => {}
            }
        }
        self.ledger.progress(progress, self.clock.now()).await
    }
}

impl Failure {
    /// Nothing would have arrived.
    pub fn down(error: impl Into<String>) -> Self {
        Self { error: error.into(), is_permanent: false, is_down: true, retry_after: None }
    }

    /// It would never arrive.
    pub fn permanent(error: impl Into<String>) -> Self {
        Self { is_permanent: true, ..Self::down(error) }
    }
}
