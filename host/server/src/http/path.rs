//! What a path names.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tollgate_ledger::{LedgerError, ReservationId};

use super::problem::Problem;
use crate::service::Error;

/// The reservation that the path names. What cannot be an id names none.
pub struct Reservation(pub ReservationId);

impl<S: Send + Sync> FromRequestParts<S> for Reservation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let id = id.ok().and_then(|Path(id)| id.parse().ok());
        Ok(Self(id.ok_or(Error::Ledger(LedgerError::UnknownReservation))?))
    }
}
