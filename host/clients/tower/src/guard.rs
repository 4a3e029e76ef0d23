//! What is held for a request, and what becomes of it when the request has ended, however it ends.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::client::Telling;
use crate::{Ask, Client, Meter};

/// Settles or releases when it is dropped: after the answer's last byte, or when the caller has
/// hung up or the handler has failed.
pub struct Guard {
    client: Client,
    ask: Ask,
    meter: Meter,
    /// `None` where the call went ahead without the service.
    reservation: Option<String>,
    /// `None` until the handler has answered.
    pub status: Option<StatusCode>,
}

impl Guard {
    pub fn new(client: Client, ask: Ask, meter: Meter, reservation: Option<String>) -> Self {
        Self { client, ask, meter, reservation, status: None }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The runtime is ending; the reservation expires.
            return;
        };
        let used = used(self.meter.said(), &self.ask, self.status);
        let (client, reservation) = (self.client.clone(), self.reservation.take());
        match (used, reservation) {
            (Some(used), Some(reservation)) => {
                let telling = Telling::settlement(&reservation, used);
                runtime.spawn(async move { client.tell(telling).await });
            }
            (Some(used), None) => {
                let telling = Telling::event(&self.ask, used);
                runtime.spawn(async move { client.tell(telling).await });
            }
            (None, Some(reservation)) => {
                runtime.spawn(async move { client.release(&reservation).await });
            }
            (None, None) => {}
        }
    }
}

/// What counts: what was said, or else the estimate of a call that went well; `None` where
/// nothing was used.
fn used(
    said: Option<BTreeMap<String, u64>>,
    ask: &Ask,
    status: Option<StatusCode>,
) -> Option<Value> {
    let went_well = status.is_some_and(|status| status.as_u16() < 400);
    let usage = said.or_else(|| went_well.then(|| ask.usage.clone()))?;
    Some(match status {
        Some(status) => json!({ "usage": usage, "status_code": status.as_u16() }),
        None => json!({ "usage": usage, "error": "ended before it answered" }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_and_else_the_estimate_of_a_call_that_went_well() {
        let ask = Ask::new("ann", "gemini").estimate("input_tokens", 9);
        let said = || Some(BTreeMap::from([("input_tokens".to_owned(), 3)]));
        let of = |said, status: Option<u16>| {
            used(said, &ask, status.map(|status| StatusCode::from_u16(status).unwrap()))
                .map(|used| used["usage"]["input_tokens"].to_string())
        };
        assert_eq!(of(said(), Some(200)).as_deref(), Some("3"));
        assert_eq!(of(None, Some(200)).as_deref(), Some("9"));
        assert_eq!(of(said(), Some(500)).as_deref(), Some("3"));
        assert_eq!(of(None, Some(500)), None);
        assert_eq!(of(said(), None).as_deref(), Some("3"));
        assert_eq!(of(None, None), None);
    }
}
