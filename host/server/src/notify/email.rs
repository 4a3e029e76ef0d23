//! E-mails, through one SMTP server.

use std::time::Duration;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::response::Category;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::time::timeout;
use tollgate_domain::EmailAddress;

use super::Failure;
use super::message::Message;
use crate::settings::NotifySettings;

/// Connections that are open at a time.
const CONNECTIONS_MAX: u32 = 4;

pub struct Emails {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

/// Tells other programs not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Emails {
    /// `url` may hold a password, and is part of no error.
    pub fn new(url: &str, settings: &NotifySettings) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?
            .timeout(Some(settings.timeout()))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX))
            .build();
        Ok(Self { transport, from: settings.mail_from.clone(), timeout: settings.timeout() })
    }

    pub async fn send(&self, to: &EmailAddress, message: &Message) -> Result<(), Failure> {
        let email = self.compose(to, message).map_err(|error| {
            Failure::permanent(format!("the e-mail cannot be written: {error}"))
        })?;
        // The transport's own timeout is for each answer of the server.
        match timeout(self.timeout, self.transport.send(email)).await {
            Ok(sent) => sent.map(drop).map_err(|error| failure(&error)),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                Err(Failure::down(format!("the server did not take it within {seconds} s")))
            }
        }
    }

    fn compose(&self, to: &EmailAddress, message: &Message) -> anyhow::Result<lettre::Message> {
        let domain = self.from.email.domain();
        let email = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.as_str().parse()?))
            .subject(message.subject())
            // The same again if it is sent again, so that mailboxes may show it once.
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(message.text(), message.html()))?;
        Ok(email)
    }
}

fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    // Of what a server refuses for good, only what is about the mailbox or the message is about
    // this one e-mail: that it does not like our password may be mended.
    let is_about_this = error.status().is_some_and(|code| code.category == Category::MailSystem);
    let is_permanent = error.is_permanent() && is_about_this;
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error)
        && !text.contains(&source.to_string())
    {
        text = format!("{text}: {source}");
    }
    Failure { is_permanent, ..Failure::down(text) }
}

/// Whether mail can be sent there at all.
pub fn is_mailbox(address: &EmailAddress) -> bool {
    address.as_str().parse::<lettre::Address>().is_ok()
}
