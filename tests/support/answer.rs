//! What the service answered.

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// Sends a request; an error where no whole answer came back.
    pub async fn to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The body of a problem that must have this status, in the form of RFC 9457.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.expect(status);
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member} is missing from {problem}");
        }
        problem
    }

    /// What the dashboards' family wraps: the `data` of a success.
    #[track_caller]
    pub fn data(self) -> Value {
        let mut envelope = self.expect(200);
        assert_eq!(envelope["success"], true, "{envelope}");
        envelope["data"].take()
    }

    /// The text of a header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.get(name).map(|header| header.to_str().unwrap());
        header.unwrap_or_else(|| panic!("no {name} among {:?}: {}", self.headers, self.text))
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}
