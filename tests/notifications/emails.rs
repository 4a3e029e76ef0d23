use std::sync::Arc;

use serde_json::{Value, json};

use super::smtp::Smtp;
use super::{NOON, command, notifications, prefer, use_calls, wait_for};
use crate::support::{Home, Server, eventually, tollgate};

/// A service that sends through a server, and trusts who vouches for it.
async fn serve(home: &Arc<Home>, smtp: &Smtp, url: &str, time: &str) -> Server {
    let url = url.replace("PORT", &smtp.port().to_string());
    let mut command = command(home, time, &["--mail-from", "Tollgate <alerts@example.com>"]);
    command.env("TOLLGATE_SMTP_URL", url).env("SSL_CERT_FILE", smtp.authority());
    Server::ready(home, command).await
}

fn mail(address: &str) -> Value {
    json!({ "emails": [address] })
}

/// The lines of a message's head that begin so.
fn header<'a>(message: &'a Value, name: &str) -> &'a str {
    let content = message["content"].as_str().unwrap();
    let line = content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {content}"))
}

/// Text as quoted-printable has it, without its soft breaks.
fn content(message: &Value) -> String {
    message["content"]
        .as_str()
        .unwrap()
        .replace("\r\n", "\n")
        .replace("=\n", "")
        .replace("=3D", "=")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_by_e_mail_as_text_and_html() {
    let Some(smtp) = Smtp::start("starttls") else { return };
    let home = Home::new();
    let url = "smtp://ann:p%40ss@localhost:PORT?tls=required";
    let server = serve(&home, &smtp, url, NOON).await;
    prefer(&server, "<ann>", &mail("ann@example.com")).await;
    use_calls(&server, "<ann>", 80).await;
    let message = smtp.wait_for(1).await.remove(0);
    assert_eq!(
        (&message["from"], &message["to"]),
        (&json!("alerts@example.com"), &json!(["ann@example.com"]))
    );
    assert_eq!((&message["tls"], &message["authenticated"]), (&json!(true), &json!(true)));
    assert_eq!(header(&message, "From"), "Tollgate <alerts@example.com>");
    assert!(header(&message, "Subject").ends_with("(<ann>)"), "{message}");
    assert!(header(&message, "Message-ID").starts_with("<msg_"), "{message}");
    assert_eq!(header(&message, "Auto-Submitted"), "auto-generated");
    let content = content(&message);
    let [text, html] = ["text/plain", "text/html"].map(|part| content.find(part).unwrap());
    assert!(text < html, "what every reader can show comes first");
    for fact in ["Quota: 80 % of 100 gemini_calls", "Subject: <ann>", "2026-08-10T12:00:"] {
        assert!(content[text..html].contains(fact), "{fact} in {content}");
    }
    assert!(content[html..].contains("&lt;ann&gt;"), "{content}");
    assert!(!content[html..].contains("<ann>"), "{content}");
    let sent = wait_for(&server, "state=sent", 1).await;
    assert_eq!(
        (&sent[0]["channel"], &sent[0]["address"]),
        (&json!("email"), &json!("ann@example.com"))
    );
    assert!(!server.log().contains("p@ss") && !server.log().contains("p%40ss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_from_the_first_byte_or_in_the_clear_as_the_url_says() {
    for (mode, url, tls) in [
        ("tls", "smtps://ann:p%40ss@localhost:PORT", true),
        ("none", "smtp://localhost:PORT", false),
    ] {
        let Some(smtp) = Smtp::start(mode) else { return };
        let home = Home::new();
        let server = serve(&home, &smtp, url, NOON).await;
        prefer(&server, "ann", &mail("ann@example.com")).await;
        use_calls(&server, "ann", 80).await;
        let message = smtp.wait_for(1).await.remove(0);
        assert_eq!(
            (&message["tls"], &message["authenticated"]),
            (&json!(tls), &json!(tls)),
            "{mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_mailbox_is_tried_again_and_one_that_does_not_exist_is_not() {
    let Some(smtp) = Smtp::start("none") else { return };
    let home = Home::new();
    let server = serve(&home, &smtp, "smtp://localhost:PORT", NOON).await;
    let both = json!({ "emails": ["gone@example.com", "later@example.com"] });
    prefer(&server, "ann", &both).await;
    use_calls(&server, "ann", 80).await;
    let message = smtp.wait_for(1).await.remove(0);
    assert_eq!(message["to"], json!(["later@example.com"]));
    let sent = wait_for(&server, "state=sent", 1).await;
    assert_eq!(sent[0]["attempts"], 2);
    let dead = wait_for(&server, "state=dead", 1).await;
    assert_eq!(
        (&dead[0]["address"], &dead[0]["attempts"]),
        (&json!("gone@example.com"), &json!(1))
    );
    assert!(dead[0]["error"].as_str().unwrap().contains("no such mailbox"), "{dead:?}");
}

/// Whoever runs the service can mend these: nothing is dead at once, and no password is told.
#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_where_the_server_does_not_take_the_password_or_is_not_who_it_should_be() {
    let Some(smtp) = Smtp::start("starttls") else { return };
    let foreign = Smtp::start("tls").unwrap();
    for (smtp, trusted, url) in [
        (&smtp, &smtp, "smtp://ann:wrong-pass@localhost:PORT?tls=required"),
        (&foreign, &smtp, "smtps://ann:p%40ss@localhost:PORT"),
    ] {
        let home = Home::new();
        let url = url.replace("PORT", &smtp.port().to_string());
        let mut command = command(&home, NOON, &[]);
        command.env("TOLLGATE_SMTP_URL", url).env("SSL_CERT_FILE", trusted.authority());
        let server = Server::ready(&home, command).await;
        prefer(&server, "ann", &mail("ann@example.com")).await;
        use_calls(&server, "ann", 80).await;
        let pending = eventually("it is tried", async || {
            let pending = notifications(&server, "state=pending").await;
            pending.first().filter(|own| own["attempts"].as_u64() > Some(0)).cloned()
        })
        .await;
        assert!(!format!("{pending} {}", server.log()).contains("wrong-pass"), "{pending}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_one_e_mail() {
    let Some(smtp) = Smtp::start("none") else { return };
    let home = Home::new();
    let url = "smtp://localhost:PORT";
    let server = serve(&home, &smtp, url, "2026-08-10T12:59:00Z").await;
    let preferences = json!({ "emails": ["ann@example.com"], "digest": { "every": "hour" } });
    prefer(&server, "ann", &preferences).await;
    use_calls(&server, "ann", 100).await;
    server.kill();
    let server = serve(&home, &smtp, url, "2026-08-10T12:59:58Z").await;
    wait_for(&server, "state=sent", 3).await;
    let [message] = &smtp.wait_for(1).await[..] else { panic!("one") };
    assert_eq!(header(message, "Subject"), "3 usage alerts (ann)");
    let content = content(message);
    for threshold in [80, 90, 100] {
        assert!(content.contains(&format!("Quota: {threshold} % of 100")), "{content}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_for_mail_the_outbox_says_so() {
    let home = Home::new();
    let server = super::serve(&home, NOON, &["--notify-attempts", "1"]).await;
    prefer(&server, "ann", &mail("ann@example.com")).await;
    use_calls(&server, "ann", 80).await;
    let dead = wait_for(&server, "state=dead", 1).await;
    assert_eq!(dead[0]["error"], "no SMTP server is set (`smtp_url`)");
}

#[test]
fn the_url_of_the_server_is_masked_and_a_wrong_one_is_not_repeated() {
    let home = Home::without_policies();
    let url = "smtp://ann:p%40ss@localhost?tls=maybe";
    let mut config = tollgate();
    config.arg("config").current_dir(home.path()).env("TOLLGATE_SMTP_URL", url);
    let shown = config.output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let line = shown.lines().find(|line| line.starts_with("smtp_url ")).unwrap();
    assert!(line.contains("********") && line.ends_with("environment"), "{line}");
    let mut serve = tollgate();
    serve.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(home.path());
    let ended = serve.env("TOLLGATE_SMTP_URL", url).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot use `smtp_url`") && !said.contains("p%40ss"), "{said}");
}
