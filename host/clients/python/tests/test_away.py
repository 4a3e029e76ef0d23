"""What becomes of calls when the service is away, killed, or back again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, List

import pytest
from broken_network import swallows_answers
from conftest import NewSubject
from service import Service
from tollgate import (
    AsyncClient,
    Client,
    InvalidRequestException,
    ServiceUnavailableException,
    TrackingException,
    UsageService,
)

FLASH = "gemini-2.5-flash"


def test_closed_a_call_is_refused_while_the_service_is_away(nobody: str) -> None:
    with Client(nobody, on_failure="deny", queue_max=0) as client:
        with pytest.raises(ServiceUnavailableException) as raised:
            client.check("ann", "gemini")
        assert raised.value.status_code == 503
        with pytest.raises(ServiceUnavailableException):
            with client.call("ann", "gemini"):
                pytest.fail("the block ran")


def test_open_a_call_goes_ahead_and_waits_to_be_recorded(nobody: str) -> None:
    client = Client(nobody, on_failure="allow")
    verdict = client.check("ann", "gemini")
    assert verdict.allowed and verdict.assumed
    with client.call("ann", "gemini", model=FLASH) as call:
        call.used(input_tokens=3)
    assert call.receipt is not None and call.receipt.queued
    assert client.waiting() == 1
    client.close(timeout_seconds=0)


def test_asyncio_fails_open_and_closed_as_threads_do(nobody: str) -> None:
    async def run() -> None:
        async with AsyncClient(nobody, on_failure="deny", queue_max=0) as client:
            with pytest.raises(ServiceUnavailableException):
                await client.reserve("ann", "gemini")
            proceed, message, info = await UsageService(client).enforce_usage_limits(
                "ann", "gemini", 10
            )
            assert not proceed and "cannot be reached" in message and info["away"]
        client = AsyncClient(nobody, on_failure="allow")
        async with client.call("ann", "gemini") as call:
            pass
        assert call.receipt is not None and call.receipt.queued
        assert (await UsageService(client).enforce_usage_limits("ann", "gemini", 10))[0]
        await client.close(timeout_seconds=0)

    asyncio.run(run())


def test_without_a_queue_a_record_that_cannot_be_told_raises(nobody: str) -> None:
    with Client(nobody, queue_max=0) as client:
        with pytest.raises(TrackingException):
            client.record("ann", "gemini")


def test_a_full_queue_raises_and_keeps_what_it_has(nobody: str) -> None:
    client = Client(nobody, queue_max=2)
    client.record("ann", "gemini")
    client.record("ann", "gemini")
    with pytest.raises(TrackingException, match="2 records wait"):
        client.record("ann", "gemini")
    assert client.waiting() == 2
    client.close(timeout_seconds=0)


def test_a_request_that_the_service_would_never_take_is_not_let_through_by_failing_open(
    service: Service,
) -> None:
    with Client(service.url, on_failure="allow") as client:
        with pytest.raises(InvalidRequestException):
            client.reserve("", "gemini")


def test_what_was_used_while_the_service_was_killed_arrives_once_it_is_back(
    service: Service, subject: NewSubject
) -> None:
    ann, bob = subject("only-40"), subject("only-40")
    client = Client(service.url, on_failure="allow", timeout_seconds=20)
    on_loop = AsyncClient(service.url, on_failure="allow", timeout_seconds=20)

    async def record_some() -> None:
        for _ in range(4):
            async with on_loop.call(bob, "gemini", model=FLASH) as call:
                call.used(input_tokens=1)

    client.record(ann, "gemini", model=FLASH)
    held = client.reserve(ann, "gemini", model=FLASH)
    service.kill()
    try:
        for _ in range(3):
            assert client.record(ann, "gemini", model=FLASH).queued
        for _ in range(2):
            with client.call(ann, "gemini", model=FLASH) as call:
                call.used(input_tokens=1)
        assert client.settle(held, usage={"input_tokens": 7}).queued
        asyncio.run(record_some())
        assert (client.waiting(), on_loop.waiting()) == (6, 4)
    finally:
        service.start()
    began_again = service.now()
    assert client.flush(30)
    assert asyncio.run(on_loop.flush(30))
    events = service.events(ann)
    assert len(events) == 7 and service.calls(bob) == 4
    assert sum(event["reservation_id"] is not None for event in events) == 1
    # They count for the time when they happened.
    assert all(event["occurred_at"] < began_again for event in events)
    quota = client.check(ann, "gemini").quotas[0]
    assert quota.used == 7 and quota.reserved == 0
    client.close()
    asyncio.run(on_loop.close())


def test_what_was_recorded_but_whose_answer_was_lost_counts_once(
    service: Service, subject: NewSubject
) -> None:
    ann = subject("only-5")
    with Client(service.url, timeout_seconds=20) as direct:
        held = direct.reserve(ann, "gemini", model=FLASH)
    between = swallows_answers(service.url, 4)
    with Client(between.url, timeout_seconds=20) as client:
        assert client.record(ann, "gemini", model=FLASH, usage={"input_tokens": 5}).queued
        assert client.settle(held, usage={"input_tokens": 7}).queued
        assert client.flush(30)
    assert between.connections > 4
    assert sorted(event["usage"]["input_tokens"] for event in service.events(ann)) == [5, 7]


DIES = """
    import os, signal, sys
    from tollgate import Client

    client = Client(sys.argv[1], queue_folder=sys.argv[2])
    for number in range(20):
        client.record(sys.argv[3], "gemini", model="gemini-2.5-flash")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_waits_on_disk_outlives_its_process_and_is_sent_by_the_next(
    service: Service, subject: NewSubject, nobody: str, folder: Path
) -> None:
    ann = subject("only-40")
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DIES), nobody, str(folder), ann], check=False
    )
    assert died.returncode == -signal.SIGKILL
    left = (folder / "queue-1.jsonl").read_bytes()
    assert left.count(b"\n") == 20
    # The second time is as if the process had died before it could note that all was sent.
    for _ in range(2):
        (folder / "queue-1.jsonl").write_bytes(left)
        with Client(service.url, queue_folder=folder) as client:
            assert client.flush(30)
        assert (folder / "queue-1.jsonl").read_bytes() == b""
        assert service.calls(ann) == 20


def test_what_the_service_never_takes_is_told_and_holds_up_nothing(
    service: Service, subject: NewSubject, nobody: str, folder: Path
) -> None:
    ann = subject("only-40")
    with Client(service.url) as client:
        client.record(ann, "gemini", event_id="taken")
    away = Client(nobody, queue_folder=folder)
    away.record(ann, "gemini", event_id="first", model=FLASH)
    away.record(ann, "gemini", event_id="taken", model=FLASH)
    away.record(ann, "gemini", usage={"input_tokens": 1, "cache_read_tokens": 2})
    away.record(ann, "gemini", event_id="last", model=FLASH)
    away.close(timeout_seconds=0)
    rejected: List[Dict[str, Any]] = []
    with Client(
        service.url,
        queue_folder=folder,
        on_rejected=lambda body, why: rejected.append({"why": why, **body}),
    ) as client:
        assert client.flush(30)
    assert {event["event_id"] for event in service.events(ann)} == {"first", "taken", "last"}
    assert ["other content" in each["why"] for each in rejected] == [True, False]
    assert (folder / "rejected.jsonl").read_text().count("\n") == 2


def test_more_than_one_batch_is_sent_whole(
    service: Service, subject: NewSubject, nobody: str, folder: Path
) -> None:
    ann = subject("enterprise")
    away = Client(nobody, queue_folder=folder)
    for _ in range(1200):
        away.record(ann, "gemini", model=FLASH)
    away.close(timeout_seconds=0)
    with Client(service.url, queue_folder=folder) as client:
        assert client.flush(30)
    assert service.calls(ann) == 1200
