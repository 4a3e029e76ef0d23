use serde_json::{Value, json};

use super::{calls, data, failure, record, used};
use crate::support::{Home, Server, shared};

/// The list of an answer, and how many entries it says there are.
async fn listed(server: &Server, path: &str, list: &str) -> (Vec<Value>, Value) {
    let data = data(server, path).await;
    (data[list].as_array().unwrap().clone(), data["total"].clone())
}

/// That pages of a list are its parts, and that a page tells how many there are in all.
async fn check_pages(server: &Server, path: &str, list: &str) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let (all, total) = listed(server, path, list).await;
    assert!(all.len() > 2, "{path}");
    assert_eq!(total, all.len(), "{path}");
    let page = async |query: &str| listed(server, &format!("{path}{separator}{query}"), list).await;
    assert_eq!(page("limit=2").await, (all[..2].to_vec(), total.clone()), "{path}");
    assert_eq!(page("limit=2&offset=1").await, (all[1..3].to_vec(), total.clone()), "{path}");
    let last = all.len() - 1;
    let rest = page(&format!("offset={last}")).await;
    assert_eq!(rest, (all[last..].to_vec(), total.clone()), "{path}");
    assert_eq!(page("offset=18446744073709551615").await, (vec![], total), "{path}");
    for (query, pointer) in
        [("limit=0", "/limit"), ("limit=1001", "/limit"), ("offset=-1", "/offset")]
    {
        let answer =
            server.get(&format!("/api/subscription/{path}{separator}{query}")).await.expect(400);
        assert_eq!(answer["details"]["errors"][0]["pointer"], pointer, "{path} {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_pages() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-05-31T12:00:00Z").await;
    server.subscribe("ann", "basic").await;
    record(&server, &used("ann", 1, "1", "2026-05-31T11:00:00Z")).await;
    server.kill();
    let server = Server::start_at(&home, "2026-08-31T12:00:00Z").await;
    record(&server, &calls("ann", "gemini", 1_000)).await;
    for (path, list) in [
        ("plans", "plans"),
        ("pricing", "pricing"),
        ("pricing?provider=gemini", "pricing"),
        ("alerts/ann", "alerts"),
        ("alerts/ann?unread_only=true", "alerts"),
        ("billing-history/ann", "history"),
    ] {
        check_pages(&server, path, list).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_nobody_knows_is_refused_by_its_name() {
    let server = shared().await;
    for path in [
        "plans",
        "pricing",
        "user/ann/subscription",
        "user/ann/subscription/history",
        "usage/ann",
        "usage/ann/trends",
        "dashboard/ann",
        "usage-logs/ann",
        "alerts/ann",
        "billing-history/ann",
    ] {
        let answer = server.get(&format!("/api/subscription/{path}?limt=1")).await.expect(400);
        assert_eq!(answer["success"], false);
        assert_eq!(answer["details"]["errors"][0]["pointer"], "/limt", "{path}");
    }
    for (path, error) in [
        ("enforce", "SubscriptionException"),
        ("track", "TrackingException"),
        ("alerts/1/mark-read", "SubscriptionException"),
    ] {
        let body = json!({ "user_id": "ann", "provider": "gemini" });
        let answer = server.post(&format!("/api/subscription/{path}?dry_run=true"), &body).await;
        let wrong = failure(answer, 400, error);
        assert_eq!(wrong["details"]["errors"][0]["pointer"], "/dry_run", "{path}");
    }
    for path in ["plans/pro", "user/ann/subscription", "pricing/gemini/m"] {
        let path = format!("/api/subscription/{path}?dry_run=true");
        let wrong = server.put(&path, &json!({})).await.expect(400);
        assert_eq!(wrong["details"]["errors"][0]["pointer"], "/dry_run", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_refused_in_the_familys_envelope() {
    let server = shared().await;
    for path in ["plans/%ff", "pricing/gemini/%ff", "user/%ff/subscription"] {
        let answer = server.put(&format!("/api/subscription/{path}"), &json!({})).await.expect(400);
        assert_eq!(answer["success"], false, "{path}");
    }
    failure(server.delete("/api/subscription/plans/%ff").await, 400, "SubscriptionException");
    failure(server.get("/api/subscription/nothing").await, 404, "SubscriptionException");
    failure(server.delete("/api/subscription/plans").await, 405, "SubscriptionException");
}
