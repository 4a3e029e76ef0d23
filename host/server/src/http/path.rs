//! What a path names.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tollgate_ledger::{LedgerError, ReservationId};

use super::problem::Problem;
use crate::service::Error;

/// The reservation that a path names: `/v1/reservations/{id}` and what lies beneath. What cannot
/// be an id names none.
pub struct Reservation(pub ReservationId);

impl<S: Send + Sync> FromRequestParts<S> for Reservation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.uri.path().split('/').nth(3).and_then(|id| id.parse().ok());
        Ok(Self(id.ok_or(Error::Ledger(LedgerError::UnknownReservation))?))
    }
}

/// The reservation's id in a path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what is read of a path is a `Reservation`")]
pub struct OfReservation {
    /// The reservation's id
    #[param(pattern = "^[0-9a-f]{32}$", example = "0193f5a0c0de4bad8f00d1234567890a")]
    id: String,
}

/// Whether it is `/v1/reservations/{id}/settle`.
pub fn settles(path: &str) -> bool {
    let id = path.strip_prefix("/v1/reservations/").and_then(|rest| rest.strip_suffix("/settle"));
    id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}
