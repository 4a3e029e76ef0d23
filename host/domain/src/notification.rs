//! Who is told of alerts, where, and when.

mod address;
mod digest;
mod quiet_hours;
mod time_of_day;

use serde::{Deserialize, Serialize};

pub use self::address::{AddressError, EmailAddress, WebhookSecret, WebhookUrl};
pub use self::digest::{Digest, Every};
pub use self::quiet_hours::QuietHours;
pub use self::time_of_day::{TimeOfDay, TimeOfDayError};
use crate::timestamp::Timestamp;

/// The severity of alerts that quiet hours and digests may let pass.
const ERROR: &str = "error";

/// Where a level's alerts go, which of them, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub emails: Vec<EmailAddress>,
    pub webhooks: Vec<Webhook>,
    /// Whether they are written to the service's log as well.
    pub log: bool,
    /// Of which severities; all, if it is empty.
    pub severities: Vec<String>,
    pub quiet_hours: Option<QuietHours>,
    pub digest: Option<Digest>,
}

/// A receiver of webhooks. What is sent is signed with each secret, so that a receiver may change
/// from one to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub url: WebhookUrl,
    /// The newest first, never none.
    pub secrets: Vec<WebhookSecret>,
}

/// One of the places that an alert goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Channel {
    Email(EmailAddress),
    Webhook(WebhookUrl),
    Log,
}

/// What kind of place it is. New kinds are appended: rows name them by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    Email,
    Webhook,
    Log,
}

impl Preferences {
    /// The places that an alert of this severity goes to, always in the same order.
    pub fn channels(&self, severity: &str) -> impl Iterator<Item = Channel> {
        let is_wanted =
            self.severities.is_empty() || self.severities.iter().any(|own| own == severity);
        let emails = self.emails.iter().cloned().map(Channel::Email);
        let webhooks = self.webhooks.iter().map(|webhook| Channel::Webhook(webhook.url.clone()));
        let log = self.log.then_some(Channel::Log);
        emails.chain(webhooks).chain(log).filter(move |_| is_wanted)
    }

    /// Whether alerts of a severity go there still.
    pub fn has(&self, channel: &Channel) -> bool {
        match channel {
            Channel::Email(address) => self.emails.contains(address),
            Channel::Webhook(url) => self.webhooks.iter().any(|webhook| webhook.url == *url),
            Channel::Log => self.log,
        }
    }

    /// When an alert that was raised at an instant is due: at once, or with its digest, and not
    /// within quiet hours.
    pub fn due_at(&self, severity: &str, raised_at: Timestamp) -> Timestamp {
        let due = match self.digest_of(severity) {
            Some(digest) => digest.after(raised_at),
            None => raised_at,
        };
        self.not_before(severity, due)
    }

    /// The instant itself, or the end of the quiet hours that it lies in.
    pub fn not_before(&self, severity: &str, at: Timestamp) -> Timestamp {
        let quiet =
            self.quiet_hours.as_ref().filter(|quiet| !(quiet.except_errors && severity == ERROR));
        quiet.and_then(|quiet| quiet.end(at)).unwrap_or(at)
    }

    /// The digest that alerts of a severity wait for.
    pub fn digest_of(&self, severity: &str) -> Option<&Digest> {
        self.digest.as_ref().filter(|digest| !(digest.except_errors && severity == ERROR))
    }
}

impl Channel {
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Email(_) => ChannelKind::Email,
            Self::Webhook(_) => ChannelKind::Webhook,
            Self::Log => ChannelKind::Log,
        }
    }

    /// The address; `None` for the log, which has none.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Email(address) => Some(address.as_str()),
            Self::Webhook(url) => Some(url.as_str()),
            Self::Log => None,
        }
    }
}

impl ChannelKind {
    pub const ALL: [Self; 3] = [Self::Email, Self::Webhook, Self::Log];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Log => "log",
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn preferences() -> Preferences {
        Preferences {
            emails: vec!["ann@example.com".parse().unwrap()],
            log: true,
            quiet_hours: Some(QuietHours {
                from: "22:00".parse().unwrap(),
                to: "07:30".parse().unwrap(),
                timezone: Tz::UTC,
                except_errors: true,
            }),
            digest: Some(Digest {
                every: Every::Minutes(60),
                timezone: Tz::UTC,
                except_errors: false,
            }),
            ..Preferences::default()
        }
    }

    #[test]
    fn a_digest_that_falls_into_quiet_hours_waits_for_their_end() {
        let preferences = preferences();
        for (severity, raised_at, due_at) in [
            ("info", "2026-08-10T12:10:00Z", "2026-08-10T13:00:00Z"),
            ("info", "2026-08-10T21:10:00Z", "2026-08-11T07:30:00Z"),
            ("error", "2026-08-10T21:10:00Z", "2026-08-10T22:00:00Z"),
        ] {
            let due = preferences.due_at(severity, at(raised_at));
            assert_eq!(due, at(due_at), "{severity} at {raised_at}");
        }
    }

    #[test]
    fn alerts_of_other_severities_go_nowhere() {
        let mut preferences = preferences();
        assert_eq!(preferences.channels("info").count(), 2);
        preferences.severities = vec!["error".into()];
        assert_eq!(preferences.channels("info").count(), 0);
        assert_eq!(preferences.channels("error").count(), 2);
    }
}
