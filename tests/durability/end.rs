use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::event_body;
use crate::support::{CLOCK_START, Home, PATIENCE, Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_to_end_first_answers_what_is_under_way() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let address = server.url().strip_prefix("http://").unwrap();
    let body = event_body("last").to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /v1/usage HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut answer = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    assert!(line.contains("100"), "the service has begun with the request: {line}");

    server.terminate();
    eventually("the service takes no more calls", async || {
        TcpStream::connect(address).is_err().then_some(())
    })
    .await;
    stream.write_all(body.as_bytes()).unwrap();
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 201"), "{rest}");
    assert_eq!(server.ended().await.code(), Some(0));

    let server = Server::start(&home).await;
    server.get("/v1/usage?subject=ann&event_id=last").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_told_so_and_does_no_harm() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut second = Server::command(&home, CLOCK_START);
    let output = tokio::task::spawn_blocking(move || second.output().unwrap()).await.unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("./data: another process"), "{complaint}");
    server.post("/v1/usage", &event_body("after")).await.expect(201);
}
