//! Secrets of webhooks: told once, by whoever sets them, and shown by a fingerprint afterwards. A
//! fingerprint that is sent back stands for the secret that it was made of.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use sha2::{Digest, Sha256};
use tollgate_domain::WebhookSecret;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

use crate::http::openapi::schema::{described, either};

/// Enough for two receivers that change from one to the next.
const SECRETS_MAX: usize = 4;

/// No secret has an asterisk: base64 has none.
const MASKED: &str = "whsec_********";

/// One secret, or a list, the newest first.
#[derive(Debug)]
pub struct Secrets(pub Vec<Given>);

#[derive(Debug)]
pub enum Given {
    Secret(WebhookSecret),
    Fingerprint(String),
}

described! {
    [] Secrets, "WebhookSecrets", {
        let secret = || ObjectBuilder::new().schema_type(Type::String).pattern(Some("^whsec_.+$"));
        let many = ArrayBuilder::new().items(secret()).min_items(Some(1)).max_items(Some(SECRETS_MAX));
        let description = "What signs, as Standard Webhooks has it: `whsec_` and 24 to 64 bytes in \
                           base64; or the fingerprint of a secret that the URL has. Several are \
                           used at once, the newest first.";
        either(description, secret().build(), many.build())
    }
}

/// How a secret is shown.
pub fn masked(secret: &WebhookSecret) -> String {
    let digest = Sha256::digest(secret.as_str());
    format!("{MASKED}{}", hex::encode(&digest[..4]))
}

impl Given {
    /// The secret that is meant: itself, or one of those before.
    pub fn resolved(self, before: &[WebhookSecret]) -> Option<WebhookSecret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Fingerprint(text) => before.iter().find(|secret| masked(secret) == text).cloned(),
        }
    }

    fn parse<E: Error>(text: &str) -> Result<Self, E> {
        match text.starts_with(MASKED) {
            true => Ok(Self::Fingerprint(text.to_owned())),
            false => text.parse().map(Self::Secret).map_err(E::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Secrets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a secret, or a list of 1 to {SECRETS_MAX}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secrets, E> {
                Ok(Secrets(vec![Given::parse(text)?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Secrets, A::Error> {
                let mut secrets = Vec::new();
                while let Some(secret) = list.next_element()? {
                    secrets.push(secret);
                    if secrets.len() > SECRETS_MAX {
                        return Err(A::Error::invalid_length(secrets.len(), &self));
                    }
                }
                match secrets.is_empty() {
                    true => Err(A::Error::invalid_length(0, &self)),
                    false => Ok(Secrets(secrets)),
                }
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}
