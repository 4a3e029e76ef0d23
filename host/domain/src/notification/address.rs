//! Addresses, and the secrets that go with them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::schema;

/// As long as a mailbox may be (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;

const URL_BYTES_MAX: usize = 1000;

/// What secrets begin with, and how many bytes they have (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A mailbox: `ann@example.com`, without a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EmailAddress(String);

/// Where webhooks go: an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WebhookUrl(String);

/// What webhooks are signed with: `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSecret(String);

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("is not an e-mail address such as \"ann@example.com\"")]
    Email,
    #[error("is not an http or https URL of at most {URL_BYTES_MAX} bytes")]
    Url,
    #[error("is not a secret: \"whsec_\" and 24 to 64 bytes in base64")]
    Secret,
}

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let is_plain = |c: char| c.is_ascii_graphic() && !"<>()[]\\,;:\"".contains(c);
        let (local, domain) = text.split_once('@').ok_or(AddressError::Email)?;
        let dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
        let whole = dotted(local) && dotted(domain) && !domain.contains('@');
        match whole && text.len() <= EMAIL_BYTES_MAX && text.chars().all(is_plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(AddressError::Email),
        }
    }
}

impl WebhookUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebhookUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        match has_host && is_plain && text.len() <= URL_BYTES_MAX {
            true => Ok(Self(text.to_owned())),
            false => Err(AddressError::Url),
        }
    }
}

impl WebhookSecret {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it signs with.
    pub fn key(&self) -> Vec<u8> {
        // It was decoded once before, or there would be no secret.
        decoded(&self.0).unwrap_or_default()
    }
}

impl FromStr for WebhookSecret {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let key = decoded(text).filter(|key| SECRET_BYTES.contains(&key.len()));
        key.map(|_| Self(text.to_owned())).ok_or(AddressError::Secret)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(********)")
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()
}

schema::described! {
    EmailAddress as "EmailAddress";
    schema::text("An address of e-mail.", "^[^@]+@[^@]+$", "ann@example.com")
        .max_length(Some(EMAIL_BYTES_MAX))
        .build()
}

schema::described! {
    WebhookUrl as "WebhookUrl";
    schema::text("Where a webhook listens.", "^https?://[!-.0-~][!-~]*$", "https://example.com/hook")
        .max_length(Some(URL_BYTES_MAX))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["ann@example.com", "a.b+c@d", "x@sub.example.org"] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(250));
        for bad in
            ["", "ann", "@x", "ann@", "a@b@c", "Ann <a@b>", "a b@c", "a@b..c", "a\n@b", &long]
        {
            assert_eq!(bad.parse::<EmailAddress>(), Err(AddressError::Email), "{bad}");
        }
        for good in ["http://127.0.0.1:80/x?y=z", "https://example.com"] {
            assert!(good.parse::<WebhookUrl>().is_ok(), "{good}");
        }
        for bad in ["", "example.com", "ftp://x", "https://", "https:///x", "https://x y"] {
            assert_eq!(bad.parse::<WebhookUrl>(), Err(AddressError::Url), "{bad}");
        }
    }

    #[test]
    fn a_secret_has_its_prefix_and_enough_bytes_and_is_not_shown() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(secret.key().len(), 24);
        assert!(!format!("{secret:?}").contains("MfKQ"));
        for bad in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_*", "whsec_"] {
            assert_eq!(bad.parse::<WebhookSecret>(), Err(AddressError::Secret), "{bad}");
        }
    }
}
