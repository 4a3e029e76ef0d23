use reqwest::Method;
use serde_json::Value;

use super::{METHODS, document, operations};
use crate::support::{Answer, Home, Server};

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true => "1",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(server: &Server, method: &str, path: &str) -> Answer {
    let method: Method = method.to_uppercase().parse().unwrap();
    Answer::to(server.request(method, path)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_is_there() {
    let server = Server::start(&Home::new()).await;
    let document = document();
    for (path, method, _) in operations(&document) {
        let answer = ask(&server, method, &filled(path)).await;
        assert_ne!(answer.status, 405, "{method} {path}");
        if answer.status == 404 && path != "/docs/{file}" {
            // An id that nobody knows, and not a path.
            assert!(!answer.text.contains("there is nothing at this path"), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_method_is_taken_and_the_answer_tells_which_are() {
    let server = Server::start(&Home::new()).await;
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let described: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        for method in METHODS.iter().filter(|method| !described.contains(method)) {
            let answer = ask(&server, method, &filled(path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let mut allowed: Vec<_> =
                answer.header("allow").split(',').map(|name| name.trim().to_lowercase()).collect();
            allowed.retain(|name| name != "head");
            allowed.sort();
            let mut expected = described.clone();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{path}");
            let body = answer.json();
            match path.starts_with("/api/subscription") {
                true => assert_eq!(body["error"], "SubscriptionException", "{path}"),
                false => assert_eq!(body["type"], "about:blank", "{path}"),
            }
        }
    }
}

/// Routes cannot be listed from outside. They are registered together with what is said of them, and
/// only so: the table of routes must not have another way in.
#[test]
fn every_route_is_registered_with_its_description() {
    for table in [
        include_str!("../../host/server/src/http/mod.rs"),
        include_str!("../../host/server/src/http/subscription/mod.rs"),
    ] {
        let routes = table.matches(".routes(routes!(").count();
        assert!(routes > 10);
        for other in [".route(", "route_service(", "nest_service(", ".merge("] {
            assert!(!table.contains(other), "`{other}` registers what is not described");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_nobody_knows_is_refused_wherever_something_is_decided() {
    let server = Server::start(&Home::new()).await;
    let document = document();
    for (path, method, _) in operations(&document) {
        let seed = path.starts_with("/api/subscription");
        if !seed && !path.starts_with("/v1/") {
            continue;
        }
        // An id that nobody knows is told first, where there is none.
        if path.contains("{id}") || path.contains("{alert_id}") {
            continue;
        }
        let answer = ask(&server, method, &format!("{}?limt=1", filled(path))).await.expect(400);
        let errors = if seed { &answer["details"]["errors"] } else { &answer["errors"] };
        assert_eq!(errors[0]["pointer"], Value::from("/limt"), "{method} {path}: {answer}");
    }
}
