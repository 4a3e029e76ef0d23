//! How notifications are sent.

use std::time::Duration;

use clap::Args;
use lettre::message::Mailbox;

#[derive(Args, Clone, Debug)]
pub struct NotifySettings {
    /// SMTP server that e-mails go through: `smtps://USER:PASSWORD@HOST`, or
    /// `smtp://USER:PASSWORD@HOST:587?tls=required` for STARTTLS, or `smtp://HOST:25` for neither
    #[arg(long, env = "TOLLGATE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<String>,

    /// Who e-mails are from, such as `Tollgate <alerts@example.com>`
    #[arg(
        long,
        env = "TOLLGATE_MAIL_FROM",
        value_name = "ADDRESS",
        default_value = "Tollgate <tollgate@localhost>"
    )]
    pub mail_from: Mailbox,

    /// How long a webhook or an e-mail may take, in seconds
    #[arg(
        long,
        env = "TOLLGATE_NOTIFY_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=300)
    )]
    pub notify_timeout_seconds: u32,

    /// How often a notification is tried before it is dead
    #[arg(
        long,
        env = "TOLLGATE_NOTIFY_ATTEMPTS",
        value_name = "TIMES",
        default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub notify_attempts: u32,

    /// The longest pause after the first attempt, in seconds; each is followed by one up to twice
    /// as long
    #[arg(
        long,
        env = "TOLLGATE_NOTIFY_BACKOFF_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub notify_backoff_seconds: u32,

    /// The longest pause after any attempt, in seconds
    #[arg(
        long,
        env = "TOLLGATE_NOTIFY_BACKOFF_MAX_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3_600,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub notify_backoff_max_seconds: u32,

    /// Whether webhooks may go to addresses that are not public, such as this machine's
    #[arg(
        long,
        env = "TOLLGATE_NOTIFY_PRIVATE_ADDRESSES",
        value_name = "BOOL",
        default_value_t = false,
        default_missing_value = "true",
        num_args = 0..=1,
        action = clap::ArgAction::Set
    )]
    pub notify_private_addresses: bool,
}

impl NotifySettings {
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.notify_timeout_seconds.into())
    }
}
