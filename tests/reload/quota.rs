use std::time::{Duration, Instant};

use super::{TIERS, check, use_up_free_calls};
use crate::support::{Home, Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_quota_is_in_force_within_moments_and_keeps_what_was_used() {
    let server = Server::start(&Home::new()).await;
    use_up_free_calls(&server, "ann").await;
    assert_eq!(check(&server, "ann").await["allowed"], false);

    let edited = Instant::now();
    server.home.edit(TIERS, "limit = 100 }", "limit = 101 }");
    let answer = eventually("a call more is allowed", async || {
        let answer = check(&server, "ann").await;
        (answer["allowed"] == true).then_some(answer)
    })
    .await;
    // Half a second on a quiet machine; far less than the rescan, which would find it too.
    assert!(edited.elapsed() < Duration::from_secs(10), "{:?}", edited.elapsed());
    assert_eq!(answer["quotas"][0]["limit"], "101");
    assert_eq!(answer["quotas"][0]["used"], "100");
}
