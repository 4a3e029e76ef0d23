//! `Idempotency-Key`: a request that is sent again under its key is answered as the first time.

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use tollgate_ledger::{Fingerprint, Once, Turn};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::fingerprint::fingerprint;
use super::problem::Problem;
use crate::service::Service;

const KEY: &str = "idempotency-key";

/// Told on an answer that was given before.
pub const REPLAYED: &str = "idempotency-replayed";

const BYTES_MAX: usize = 255;

/// The key of a request and its path; `None` where the caller gives no key.
pub struct IdempotencyKey(Option<Fingerprint>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = key(value).filter(|_| values.next().is_none()).ok_or_else(|| {
            let detail =
                format!("Idempotency-Key must be one of 1 to {BYTES_MAX} visible characters");
            Problem::invalid("", detail)
        })?;
        // No path contains a zero.
        let scoped = [parts.uri.path().as_bytes(), &[0], key].concat();
        Ok(Self(Some(Fingerprint::of(&scoped))))
    }
}

impl IdempotencyKey {
    /// The turn of a request with this body.
    pub fn turn(self, service: &Service, body: &[u8]) -> Result<Turn, Problem> {
        let Some(key) = self.0 else { return Ok(Turn::default()) };
        Ok(service.turn(Once { key, body: fingerprint(body)? })?)
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Makes it safe to send the request again, for 24 hours: the same key and \
                           body get the first answer again. Quoted or bare. Only answers of 2xx \
                           are kept.";
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!(
            "^(\"[!-~]{{1,{BYTES_MAX}}}\"|[!#-~][!-~]{{0,{}}})$",
            BYTES_MAX - 1
        )));
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema.build()));
        vec![key.build()]
    }
}

/// The header that goes with an answer, if it was given before.
pub fn replayed(replayed: bool) -> Option<[(&'static str, &'static str); 1]> {
    replayed.then_some([(REPLAYED, "true")])
}

/// The key itself, which some quote and some do not. A quote that is opened must be closed.
fn key(value: &HeaderValue) -> Option<&[u8]> {
    let key = match value.as_bytes().strip_prefix(b"\"") {
        Some(quoted) => quoted.strip_suffix(b"\"")?,
        None => value.as_bytes(),
    };
    let visible = key.iter().all(u8::is_ascii_graphic);
    (visible && (1..=BYTES_MAX).contains(&key.len())).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_quoted_and_bare_and_is_bounded() {
        let of = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(key(&of("\"k-1\"")), Some(&b"k-1"[..]));
        assert_eq!(key(&of("k-1")), Some(&b"k-1"[..]));
        assert!(key(&of(&"k".repeat(255))).is_some());
        for wrong in ["", "\"", "\"\"", "\"k-1", "a b", "é", &"k".repeat(256)] {
            assert_eq!(key(&of(wrong)), None, "{wrong}");
        }
    }
}
