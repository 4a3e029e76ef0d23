use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::{OLD_NANOS, reserve_and_settle, revision, text};
use crate::support::{Home, PATIENCE, Server, usd};

const OLD_RATES: &str = r#"input_tokens = "0.125", output_tokens = "0.375""#;
const NEW_RATES: &str = r#"input_tokens = "0.25", output_tokens = "1.5""#;

/// What a call costs after the edit, in billionths of a dollar.
const NEW_NANOS: u64 = 1_000 * 250 + 500 * 1_500;

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_price_fails_no_call_and_prices_each_by_one_of_two_revisions() {
    const CALLERS: usize = 8;
    const CALLS_BEFORE_EDIT: usize = 100;
    const CALLS_AFTER_EDIT: usize = 10;

    let server = Server::start(&Home::new()).await;
    let old = (usd(OLD_NANOS), revision(&server).await);
    let made = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (client, home) = (server.client(), server.home.clone());
        let (old_cost, made) = (old.0.clone(), made.clone());
        callers.spawn(async move {
            let subject = format!("caller-{caller}");
            client.subscribe(&subject, "enterprise").await;
            let (mut settled, mut at_new_price) = (Vec::new(), 0);
            while at_new_price < CALLS_AFTER_EDIT {
                let call = reserve_and_settle(&client, &subject).await;
                at_new_price += usize::from(call.cost != old_cost);
                settled.push(call);
                if made.fetch_add(1, Ordering::Relaxed) == CALLS_BEFORE_EDIT {
                    home.edit("token-pricing.toml", OLD_RATES, NEW_RATES);
                }
            }
            settled
        });
    }
    let settled = tokio::time::timeout(PATIENCE, callers.join_all()).await;
    let settled = settled.expect("the new price takes effect");

    let new = (usd(NEW_NANOS), revision(&server).await);
    assert_ne!(old.1, new.1);
    for call in settled.iter().flatten() {
        let by = (call.cost.clone(), call.revision.clone());
        assert!(by == old || by == new, "{by:?} is neither {old:?} nor {new:?}");
    }
    // What is stored is what was answered, on both sides of the edit.
    for call in [&settled[0][0], &settled[0][settled[0].len() - 1]] {
        let query = format!("/v1/usage?subject={}&event_id={}", call.subject, call.event);
        let event = server.get(&query).await.expect(200);
        let stored = (text(&event["cost"]), text(&event["revision"]));
        assert_eq!(stored, (call.cost.clone(), call.revision.clone()));
    }
}
