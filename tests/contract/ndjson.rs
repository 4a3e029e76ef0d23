use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use reqwest::Method;
use serde_json::{Value, json};

use super::{call, statistics, with};
use crate::support::{
    Answer, CLOCK_START, Client, Home, PATIENCE, Server, eventually, shared, usd,
};

const LINE_BYTES_MAX: usize = 1 << 20;

fn event(subject: &str, id: &str) -> Value {
    with(call(subject), "event_id", id)
}

async fn send(client: &Client, body: String) -> Answer {
    let request = client.request(Method::POST, "/v1/usage");
    Answer::to(request.header("content-type", "application/x-ndjson").body(body)).await.unwrap()
}

async fn find(client: &Client, subject: &str, id: &str) -> Answer {
    client.get(&format!("/v1/usage?subject={subject}&event_id={id}")).await
}

/// How many events were accepted, known before, and rejected.
#[track_caller]
fn counts(answer: &Value) -> [u64; 3] {
    ["accepted", "duplicates", "rejected"].map(|count| answer[count].as_u64().unwrap())
}

/// The index and the status of each problem.
#[track_caller]
fn problems(answer: &Value) -> Vec<(u64, u64)> {
    let number = |value: &Value| value.as_u64().unwrap();
    let problems = answer["problems"].as_array().unwrap().iter();
    problems.map(|one| (number(&one["index"]), number(&one["problem"]["status"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_however_many_lines_tell_of_it() {
    let server = shared().await;
    let (one, two) = (event("lines-once", "e1"), event("lines-once", "e2"));
    let other = with(one.clone(), "status_code", 500);
    let body = format!("{one}\n{two}\n{one}\n{other}\n");
    let answer = send(&server, body.clone()).await.expect(200);
    assert_eq!((counts(&answer), problems(&answer)), ([2, 1, 1], vec![(3, 409)]), "{answer}");
    let answer = send(&server, body).await.expect(200);
    assert_eq!(counts(&answer), [0, 3, 1], "{answer}");
    assert_eq!(statistics(&server, "lines-once").await["total_calls"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_decided_in_their_order() {
    let server = shared().await;
    server.subscribe("lines-order", "free").await;
    let few = |id: u64| with(event("lines-order", &id.to_string()), "usage", json!({ "calls": 1 }));
    let body: Vec<_> = (1..=150).map(|id| few(id).to_string()).collect();
    assert_eq!(counts(&send(&server, body.join("\n")).await.expect(200)), [150, 0, 0]);
    // The plan has a hundred calls a month: the first hundred fit, and they only.
    for id in 1..=150 {
        let found = find(&server, "lines-order", &id.to_string()).await.expect(200);
        assert_eq!(found["overage"], id > 100, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_costs_no_good_one_and_a_blank_one_does_not_count() {
    let server = shared().await;
    let (one, two) = (event("lines-bad", "e1"), event("lines-bad", "e2"));
    let typo = with(event("lines-bad", "e3"), "modle", "typo");
    // The last line needs no end.
    let body = format!("\n{one}\r\n \r\n{{\"subject\":\n\u{fffd}\n{typo}\n\n[{one}]\n{two}");
    let answer = send(&server, body).await.expect(200);
    let expected = vec![(1, 400), (2, 400), (3, 400), (4, 400)];
    assert_eq!((counts(&answer), problems(&answer)), ([2, 0, 4], expected), "{answer}");
    assert_eq!(answer["problems"][2]["problem"]["errors"][0]["pointer"], "/modle", "{answer}");
    find(&server, "lines-bad", "e2").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_is_rejected_and_the_next_one_is_read() {
    let server = shared().await;
    let padded = |id: &str, bytes: usize| {
        let event = event("lines-long", id).to_string();
        let padding = " ".repeat(bytes - event.len());
        event + &padding
    };
    let just = padded("e1", LINE_BYTES_MAX);
    let [over, far_over] = [1, 3 * LINE_BYTES_MAX].map(|more| padded("e2", LINE_BYTES_MAX + more));
    let last = event("lines-long", "e3");
    let answer = send(&server, format!("{just}\n{over}\n{far_over}\n{last}\n")).await.expect(200);
    let expected = vec![(1, 413), (2, 413)];
    assert_eq!((counts(&answer), problems(&answer)), ([2, 0, 2], expected), "{answer}");
    let detail = answer["problems"][0]["problem"]["detail"].as_str().unwrap();
    assert!(detail.contains("1048576 bytes"), "{detail}");
    find(&server, "lines-long", "e2").await.problem(404);
    find(&server, "lines-long", "e3").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_counts_to_the_last_line_and_digit() {
    const LINES: u64 = 20_000;
    let server = shared().await;
    // In every thousandth line the subject is missing.
    let line = |at: u64| match at % 1_000 {
        999 => json!({ "provider": "gemini", "usage": {} }),
        _ => event("lines-many", &format!("e{at}")),
    };
    let body: String = (0..LINES).map(|at| format!("{}\n", line(at))).collect();
    let answer = send(&server, body).await.expect(200);
    let expected = (0..20).map(|thousand| (thousand * 1_000 + 999, 400)).collect();
    assert_eq!((counts(&answer), problems(&answer)), ([LINES - 20, 0, 20], expected));
    let bill = statistics(&server, "lines-many").await;
    assert_eq!(bill["total_calls"], LINES - 20);
    assert_eq!(bill["total_tokens"], 1_500 * (LINES - 20));
    assert_eq!(bill["total_cost"].to_string(), usd(312_500 * (LINES - 20)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_are_counted_and_the_first_thousand_told() {
    let server = shared().await;
    let answer = send(&server, "{}\n".repeat(1_500)).await.expect(200);
    assert_eq!(counts(&answer), [0, 0, 1_500]);
    assert_eq!(problems(&answer), (0..1_000).map(|index| (index, 400)).collect::<Vec<_>>());
    assert_eq!(counts(&send(&server, String::new()).await.expect(200)), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_recorded_while_the_next_one_is_still_to_come() {
    let server = shared().await;
    let mut body = SlowBody::begin(&server);
    body.send(&format!("{}\n", event("lines-slow", "e1")));
    recorded(&server, "lines-slow", "e1").await;

    let second = event("lines-slow", "e2").to_string();
    let (head, tail) = second.split_at(20);
    body.send(head);
    body.send(&format!("{tail}\n{}\n{{", event("lines-slow", "e3")));
    recorded(&server, "lines-slow", "e2").await;
    recorded(&server, "lines-slow", "e3").await;

    let answer = body.end();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#"{"accepted":3,"duplicates":0,"rejected":1,"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_connection_broke_stays() {
    let server = shared().await;
    let mut body = SlowBody::begin(&server);
    // The second is whole, but without its end: nobody knows whether it was to go on.
    let [one, two] = ["e1", "e2"].map(|id| event("lines-broken", id));
    body.send(&format!("{one}\n{two}"));
    recorded(&server, "lines-broken", "e1").await;
    let answer = body.break_off();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""index":1"#), "{answer}");
    find(&server, "lines-broken", "e2").await.problem(404);
    assert_eq!(statistics(&server, "lines-broken").await["total_calls"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_lines_fault_ends_it_and_says_where() {
    let server = Server::launch(&Home::without_policies(), CLOCK_START);
    let body = format!("{{}}\n{}\n{{}}\n", event("lines-end", "e1"));
    let problem = send(&server, body).await.problem(503);
    assert_eq!(problem["index"], 1, "{problem}");
}

/// Waits until an event is there to be found.
async fn recorded(client: &Client, subject: &str, id: &str) {
    eventually(&format!("{id} is recorded"), async || {
        (find(client, subject, id).await.status == 200).then_some(())
    })
    .await;
}

/// A request whose body is sent piece by piece.
struct SlowBody(TcpStream);

impl SlowBody {
    fn begin(client: &Client) -> Self {
        let address = client.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST /v1/usage HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        .unwrap();
        Self(stream)
    }

    fn send(&mut self, piece: &str) {
        write!(self.0, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
    }

    /// Ends the body, and reads the answer.
    fn end(mut self) -> String {
        self.0.write_all(b"0\r\n\r\n").unwrap();
        self.answer()
    }

    /// Leaves the body without its end.
    fn break_off(self) -> String {
        self.0.shutdown(Shutdown::Write).unwrap();
        self.answer()
    }

    fn answer(mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}
