use std::path::PathBuf;
use std::process::Command;

use crate::support::{Client, shared};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a text names between quotes that begins so.
fn named<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    let quoted = text.split('"').filter(|part| part.starts_with(begin));
    quoted.collect()
}

async fn part(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    for elsewhere in ["http://", "https://", "//cdn", "@import", "url("] {
        assert!(!answer.text.contains(elsewhere), "{path} has `{elsewhere}`");
    }
    answer.text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_all_that_it_is_made_of_come_from_the_service() {
    let server = shared().await;
    let page = part(&server, "/docs").await;
    let mut parts = named(&page, "/docs/");
    assert_eq!(parts.len(), 2, "{parts:?}");
    let script = part(&server, "/docs/page.js").await;
    let modules: Vec<_> = named(&script, "./");
    assert!(modules.len() >= 3, "{modules:?}");
    let modules: Vec<_> = modules.iter().map(|name| name.replace("./", "/docs/")).collect();
    parts.extend(modules.iter().map(String::as_str));
    for path in parts {
        part(&server, path).await;
    }
    server.get("/docs/other.js").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_reaches_no_other_host_shows_every_operation() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: the page in a browser: there is no Chromium; set CHROMIUM to name one");
        return;
    };
    let server = shared().await;
    let url = server.request(reqwest::Method::GET, "/docs").build().unwrap().url().to_string();
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args([
            "--virtual-time-budget=20000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(
        dom.contains("data-ready=\"true\""),
        "{dom}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document = super::document();
    for (_, _, operation) in super::operations(&document) {
        let id = format!("id=\"{}\"", operation["operationId"].as_str().unwrap());
        assert!(dom.contains(&id), "{id} is missing");
    }
}

fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let mut found =
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    named.or_else(|| found.find(|path| path.exists()))
}
