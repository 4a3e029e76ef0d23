//! What an answer leaves for the error log. The caller is told more: the detail of what is wrong
//! with a request repeats what was sent, and does not belong in a log.

use super::problem::Problem;
use crate::error_log;

/// How a request failed.
#[derive(Clone)]
pub struct Told {
    /// The type of the problem, or the name of the exception.
    error: String,
    title: &'static str,
    /// Where in the request it lies.
    pointers: Vec<String>,
    /// Of what is the service's own fault.
    detail: Option<String>,
    user: Option<String>,
}

impl Told {
    pub fn of(problem: &Problem) -> Self {
        Self {
            error: problem.kind().to_owned(),
            title: problem.title(),
            pointers: problem.pointers(),
            detail: problem.status.is_server_error().then(|| problem.detail.clone()),
            user: None,
        }
    }

    /// The same under the seed's name.
    pub fn named(self, exception: &str, user: Option<String>) -> Self {
        Self { error: exception.to_owned(), user, ..self }
    }

    /// Writes it down. Texts are quoted, so that none of them makes a line of its own.
    pub fn note(&self, id: &str, method: &str, path: &str, status: u16) {
        let Self { error, title, pointers, detail, user } = self;
        let detail = detail.as_deref().unwrap_or(title);
        let fields = pointers.join(" ");
        let user = user.as_deref();
        tracing::debug!(
            target: error_log::TARGET,
            id, method, path, status, error, detail, fields, user, "refused or failed"
        );
    }
}
