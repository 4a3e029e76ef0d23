//! Requests to a service.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, PATIENCE};

#[derive(Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
}

impl Client {
    pub fn new(url: String) -> Self {
        // No connection is kept: tests that share a service have runtimes of their own.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy();
        Self { url, http: http.timeout(PATIENCE).build().unwrap() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }

    /// For a service that may be gone before it has answered.
    pub async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// The same, under an idempotency key.
    pub async fn try_post_once(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<Answer> {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        Answer::to(request.json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::PUT, path).json(body)).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await.unwrap()
    }

    /// Gives a subject, spelled as in a path, a plan.
    pub async fn subscribe(&self, subject: &str, plan: &str) {
        let path = format!("/api/subscription/user/{subject}/subscription");
        self.put(&path, &json!({ "plan": plan })).await.expect(200);
    }
}
