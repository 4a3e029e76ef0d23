"""The context manager and the decorator, for threads and for asyncio."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator

import pytest
from conftest import NewSubject
from service import Service, eventually
from tollgate import (
    AsyncClient,
    Client,
    TrackingException,
    UsageLimitExceededException,
    current_call,
    metered,
    report_usage,
)

FLASH = "gemini-2.5-flash"


class Broken(Exception):
    """What a provider's library raises."""


def on_loop(service: Service, test: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Runs a test with a client of its own, on a loop of its own."""

    async def run() -> None:
        async with AsyncClient(service.url, timeout_seconds=20) as client:
            await test(client)

    asyncio.run(run())


def test_a_block_settles_with_what_it_used(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    with client.call(ann, "gemini", model=FLASH, usage={"input_tokens": 9000}) as call:
        assert client.check(ann, "gemini").quotas[0].reserved == 1
        call.used(input_tokens=600)
        call.used(input_tokens=400, output_tokens=500)
    (event,) = service.events(ann)
    assert event["usage"] == {"calls": 1, "input_tokens": 1000, "output_tokens": 500}
    assert event["reservation_id"] is not None
    assert event["response_time_ms"] is not None


def test_a_block_that_says_nothing_settles_with_its_estimate(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    with client.call(ann, "gemini", model=FLASH, usage={"input_tokens": 70}):
        pass
    (event,) = service.events(ann)
    assert event["usage"] == {"calls": 1, "input_tokens": 70}


def test_a_block_that_raises_releases_what_it_held(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")
    with pytest.raises(Broken):
        with client.call(ann, "gemini"):
            raise Broken
    assert client.check(ann, "gemini").quotas[0].remaining == 1
    assert service.events(ann) == []


def test_a_block_that_raises_after_it_used_something_settles_with_that(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")
    with pytest.raises(Broken):
        with client.call(ann, "gemini", model=FLASH) as call:
            call.used(input_tokens=30)
            raise Broken("with a secret in its text")
    (event,) = service.events(ann)
    assert event["usage"] == {"calls": 1, "input_tokens": 30}
    assert event["error"] == "Broken"


def test_a_block_that_is_refused_does_not_run(client: Client, subject: NewSubject) -> None:
    with pytest.raises(UsageLimitExceededException):
        with client.call(subject("only-0"), "gemini"):
            pytest.fail("the block ran")


def test_an_async_block_settles_releases_and_is_refused_as_a_plain_one(
    subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")

    async def test(client: AsyncClient) -> None:
        with pytest.raises(Broken):
            async with client.call(ann, "gemini"):
                raise Broken
        async with client.call(ann, "gemini", model=FLASH) as call:
            call.used(input_tokens=1000, output_tokens=500)
        assert call.receipt is not None and str(call.receipt.cost) == "0.0003125"
        with pytest.raises(UsageLimitExceededException):
            async with client.call(ann, "gemini"):
                pytest.fail("the block ran")

    on_loop(service, test)
    assert service.calls(ann) == 1


def test_a_cancelled_block_releases_and_one_that_had_used_something_settles(
    subject: NewSubject, service: Service
) -> None:
    ann, bob = subject("only-1"), subject("only-1")

    async def test(client: AsyncClient) -> None:
        async def block(who: str, tokens: int, began: asyncio.Event) -> None:
            async with client.call(who, "gemini", model=FLASH) as call:
                if tokens:
                    call.used(input_tokens=tokens)
                began.set()
                await asyncio.Event().wait()

        for who, tokens in ((ann, 0), (bob, 7)):
            began = asyncio.Event()
            task = asyncio.create_task(block(who, tokens, began))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    on_loop(service, test)
    assert service.events(ann) == []
    (event,) = service.events(bob)
    assert event["usage"]["input_tokens"] == 7


def test_what_was_used_is_told_to_its_end_however_often_its_task_is_cancelled(
    subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")

    async def test(client: AsyncClient) -> None:
        began = asyncio.Event()

        async def block() -> None:
            async with client.call(ann, "gemini", model=FLASH) as call:
                call.used(input_tokens=7)
                began.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await began.wait()
        # Telling it takes a new connection, and so more than one step of the loop.
        client._transport.close()
        while not task.done():
            # As a framework does that ends all the tasks of a request that was hung up.
            task.cancel()
            await asyncio.sleep(0)

    on_loop(service, test)
    (event,) = service.events(ann)
    assert event["usage"]["input_tokens"] == 7


def test_a_task_that_is_cancelled_while_it_waits_for_quota_holds_none(
    subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")

    async def test(client: AsyncClient) -> None:
        task = asyncio.create_task(client.reserve(ann, "gemini"))
        await asyncio.sleep(0)  # It has begun to ask, and has no answer yet.
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_loop(service, test)

    async def free(client: AsyncClient) -> None:
        assert (await client.check(ann, "gemini")).quotas[0].remaining == 1

    on_loop(service, free)


def test_a_decorated_function_is_metered_by_its_parameter(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")

    @metered(client, "gemini", model=FLASH, estimate=lambda user_id, prompt: {"input_tokens": 9})
    def generate(user_id: str, prompt: str) -> str:
        """Writes something."""
        report_usage(input_tokens=len(prompt), output_tokens=2)
        return "ok"

    assert generate.__doc__ == "Writes something."
    assert generate(ann, prompt="four") == "ok"
    (event,) = service.events(ann)
    assert event["usage"] == {"calls": 1, "input_tokens": 4, "output_tokens": 2}
    with pytest.raises(UsageLimitExceededException):
        generate(ann, "again")


def test_a_decorated_function_may_be_counted_by_its_result(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")

    @metered(
        client,
        "gemini",
        model=FLASH,
        subject=lambda request: str(request["user"]),
        count=lambda result: {"output_tokens": len(result)},
    )
    def generate(request: Any) -> str:
        return "seven.."

    generate({"user": ann})
    (event,) = service.events(ann)
    assert event["usage"] == {"calls": 1, "output_tokens": 7}


def test_a_decorated_async_function_settles_and_releases(
    subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")

    async def test(client: AsyncClient) -> None:
        @metered(client, "gemini", subject="who", model=FLASH)
        async def generate(who: str, fails: bool) -> None:
            await asyncio.sleep(0)
            if fails:
                raise Broken
            current_call().used(input_tokens=5)

        with pytest.raises(Broken):
            await generate(ann, fails=True)
        await generate(ann, fails=False)
        with pytest.raises(UsageLimitExceededException):
            await generate(ann, fails=False)

    on_loop(service, test)
    assert service.calls(ann) == 1


def test_what_cannot_be_metered_is_refused_where_it_is_written(client: Client) -> None:
    def stream(user_id: str) -> Iterator[str]:
        yield user_id

    async def async_stream(user_id: str) -> AsyncIterator[str]:
        yield user_id

    async def generate(user_id: str) -> None: ...

    def nameless(prompt: str) -> None: ...

    for function, word in (
        (stream, "one by one"),
        (async_stream, "one by one"),
        (generate, "AsyncClient"),
        (nameless, "user_id"),
    ):
        with pytest.raises(TypeError, match=word):
            metered(client, "gemini")(function)


def test_usage_that_belongs_to_no_call_is_not_lost_silently() -> None:
    with pytest.raises(TrackingException, match="no metered call"):
        report_usage(input_tokens=1)


def test_one_call_inside_of_another_has_its_own_account(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    with client.call(ann, "gemini", model=FLASH):
        with client.call(ann, "gemini", model=FLASH):
            report_usage(input_tokens=1)
        report_usage(input_tokens=20)
    assert [event["usage"]["input_tokens"] for event in service.events(ann)] == [1, 20]
    eventually("nothing is held", lambda: client.check(ann, "gemini").quotas[0].reserved == 0)
