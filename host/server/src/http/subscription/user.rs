//! Who a path is about.

use std::convert::Infallible;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;
use tollgate_domain::SubjectId;

use crate::http::problem::Problem;

/// The `{user_id}` of a path, one percent-encoded segment; not checked yet, so that an answer
/// can name it.
pub struct User(Option<String>);

/// The user in a path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what is read of a path is a `User`")]
pub struct OfUser {
    /// The user, or a level of a path, as one percent-encoded segment
    user_id: SubjectId,
}

impl User {
    pub fn unknown() -> Self {
        Self(None)
    }

    /// The user whom a body names, if it names one.
    pub fn in_body(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Named {
            user_id: String,
        }
        Self(serde_json::from_slice(body).ok().map(|Named { user_id }| user_id))
    }

    /// `None` where the segment is not text.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub fn subject(&self) -> Result<SubjectId, Problem> {
        let Some(id) = &self.0 else { return Err(Problem::invalid("/user_id", "is not UTF-8")) };
        id.parse().map_err(|error| Problem::invalid("/user_id", format!("{error}")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        Ok(Self(id.ok().map(|Path(id)| id)))
    }
}
