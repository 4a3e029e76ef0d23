"""Both clients speak HTTP as servers do, and do not wait for ever."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from typing import Any, Callable, List, Tuple

import pytest
from broken_network import Server, request_of
from tollgate import AsyncClient, Client, ServiceUnavailableException, Verdict
from tollgate.address import address

VERDICT = json.dumps(
    {"allowed": True, "estimated_cost": "0.1", "quotas": [], "denied": None, "revision": "r"}
).encode()
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(VERDICT),
    VERDICT,
)
HALF = len(VERDICT) // 2
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    b"%x;note=1\r\n%s\r\n%x\r\n%s\r\n0\r\ntrailer: 1\r\n\r\n"
    % (HALF, VERDICT[:HALF], len(VERDICT) - HALF, VERDICT[HALF:])
)
TO_THE_END = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n" + VERDICT
EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"

#: Asks a number of times, one after the other, on one client.
Asker = Callable[..., List[Verdict]]


def ask_in_threads(url: str, times: int = 1, **settings: Any) -> List[Verdict]:
    with Client(url, queue_max=0, **settings) as client:
        return [client.check("ann", "gemini") for _ in range(times)]


def ask_on_a_loop(url: str, times: int = 1, **settings: Any) -> List[Verdict]:
    async def run() -> List[Verdict]:
        async with AsyncClient(url, queue_max=0, **settings) as client:
            return [await client.check("ann", "gemini") for _ in range(times)]

    return asyncio.run(run())


both = pytest.mark.parametrize("ask", [ask_in_threads, ask_on_a_loop])


def always(answer: bytes, keep: bool) -> Server:
    def serve(connection: socket.socket) -> None:
        while request_of(connection):
            connection.sendall(answer)
            if not keep:
                return

    return Server(serve)


def never_answers() -> Tuple[threading.Event, Server]:
    """Takes connections and says nothing until the event is set."""
    hold = threading.Event()

    def serve(connection: socket.socket) -> None:
        hold.wait(60)

    return hold, Server(serve)


@both
@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
def test_a_connection_is_used_again(ask: Asker, answer: bytes) -> None:
    server = always(answer, keep=True)
    assert all(verdict.allowed for verdict in ask(server.url, times=5))
    assert server.connections == 1


@both
@pytest.mark.parametrize("answer", [TO_THE_END, PLAIN])
def test_a_connection_that_the_service_closes_is_replaced_unnoticed(
    ask: Asker, answer: bytes
) -> None:
    server = always(answer, keep=False)
    assert len(ask(server.url, times=3)) == 3
    assert server.connections == 3


def test_what_comes_before_an_answer_is_passed_over() -> None:
    server = always(EARLY + PLAIN, keep=True)
    assert ask_on_a_loop(server.url)[0].allowed


@both
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\ncontent-type: application/json\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\ncontent-type: application/json\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/html\r\n\r\n<>",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"",
    ],
)
def test_whatever_is_no_answer_of_the_service_counts_as_its_absence(
    ask: Asker, answer: bytes
) -> None:
    server = always(answer, keep=False)
    with pytest.raises(ServiceUnavailableException):
        ask(server.url)


@both
def test_nobody_waits_longer_than_the_timeout(ask: Asker) -> None:
    hold, server = never_answers()
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableException):
        ask(server.url, timeout_seconds=0.2)
    assert time.monotonic() - began < 10
    hold.set()


@both
def test_a_service_that_is_away_is_not_waited_for_again_and_again(ask: Asker) -> None:
    hold, server = never_answers()
    verdicts = ask(
        server.url, times=50, timeout_seconds=0.05, on_failure="allow", pause_seconds=60
    )
    assert len(verdicts) == 50 and all(verdict.assumed for verdict in verdicts)
    assert server.connections == 3
    hold.set()


@both
def test_a_service_that_is_back_is_noticed_after_the_pause(ask: Asker) -> None:
    answers: List[bytes] = [b"", b"", b"", PLAIN]

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answers.pop(0))

    server = Server(serve)
    verdicts = ask(server.url, times=4, on_failure="allow", pause_seconds=0)
    assert [verdict.assumed for verdict in verdicts] == [True, True, True, False]


@both
def test_headers_of_the_app_are_sent_along_and_cannot_be_broken_out_of(ask: Asker) -> None:
    seen: List[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(request_of(connection))
        connection.sendall(PLAIN)

    server = Server(serve)
    ask(server.url + "/behind/", headers={"Authorization": "Bearer t"})
    assert seen[0].startswith(b"POST /behind/v1/check HTTP/1.1\r\n")
    assert b"authorization: bearer t\r\n" in seen[0].lower()
    with pytest.raises(ValueError):
        ask(server.url, headers={"x": "a\r\nx-evil: 1"})


def test_one_client_serves_one_event_loop_after_another() -> None:
    server = always(PLAIN, keep=True)
    client = AsyncClient(server.url, queue_max=0)

    async def run() -> Verdict:
        return await client.check("ann", "gemini")

    for _ in range(3):
        assert asyncio.run(run()).allowed
    asyncio.run(client.close())


def test_an_address_is_a_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address("https://tolls.example/").port == 443
    assert address("http://[::1]:81/x/").host_header == "[::1]:81"
    monkeypatch.setenv("TOLLGATE_URL", "http://elsewhere:99")
    assert (address(None).host, address(None).port) == ("elsewhere", 99)
    for wrong in ("localhost:8080", "ftp://x", "http://", "http://u:p@x", "http://x?y=1"):
        with pytest.raises(ValueError, match="URL"):
            address(wrong)
