"""A real FastAPI app behind the middleware, and the real service behind that."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List

import httpx
import pytest
from conftest import NewSubject
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from service import Service
from tollgate import (
    AsyncClient,
    Pattern,
    TollgateMiddleware,
    by_patterns,
    report_usage,
    subject_from_header,
    subject_from_state,
)

FLASH = "gemini-2.5-flash"


class Broken(Exception):
    pass


def app_of(client: AsyncClient, ran: List[str], **settings: Any) -> FastAPI:
    """Handlers that say what they used in every way there is."""
    app = FastAPI()
    settings.setdefault("subject", subject_from_header("x-user-id"))
    app.add_middleware(TollgateMiddleware, client=client, **settings)

    @app.post("/api/gemini/says")
    async def says() -> Dict[str, bool]:
        ran.append("says")
        report_usage(model=FLASH, input_tokens=1000, output_tokens=500)
        return {"ok": True}

    @app.post("/api/gemini/threaded")
    def threaded() -> Dict[str, bool]:
        report_usage(model=FLASH, input_tokens=11)
        return {"ok": True}

    @app.post("/api/gemini/silent")
    async def silent() -> Dict[str, bool]:
        ran.append("silent")
        return {"ok": True}

    @app.post("/api/generate")
    async def generate(request: Request) -> Any:
        ran.append("generate")
        body = await request.json()
        return {
            "echo": len(body["prompt"]),
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4},
        }

    @app.post("/api/gemini/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"chunk"
                report_usage(model=FLASH, output_tokens=number)

        return StreamingResponse(chunks())

    @app.post("/api/gemini/invalid")
    async def invalid() -> None:
        raise HTTPException(422, "not like this")

    @app.post("/api/gemini/bad-gateway")
    async def bad_gateway() -> JSONResponse:
        return JSONResponse({}, 502)

    @app.post("/api/gemini/breaks")
    async def breaks() -> None:
        raise Broken("a secret")

    @app.post("/echo")
    async def echo(request: Request) -> Dict[str, int]:
        return {"bytes": len(await request.body())}

    return app


Browser = Callable[..., Awaitable[httpx.Response]]


def browse(
    service_url: str,
    test: Callable[[Browser, AsyncClient, List[str]], Awaitable[None]],
    on_failure: Any = "deny",
    **settings: Any,
) -> None:
    """Runs a test that sends requests to the app in their user's name."""

    async def run() -> None:
        async with AsyncClient(service_url, timeout_seconds=20, on_failure=on_failure) as client:
            ran: List[str] = []
            transport = httpx.ASGITransport(
                app_of(client, ran, **settings), raise_app_exceptions=False
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as browser:

                async def post(path: str, user: str = "", **more: Any) -> httpx.Response:
                    headers = {**more.pop("headers", {}), **({"x-user-id": user} if user else {})}
                    return await browser.post(path, headers=headers, **more)

                await test(post, client, ran)

    asyncio.run(run())


modes = pytest.mark.parametrize("mode", ["reserve", "check"])


@modes
def test_a_request_is_metered_with_what_its_handler_says(
    mode: str, service: Service, subject: NewSubject
) -> None:
    ann = subject("only-5")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        assert (await post("/api/gemini/says", ann)).status_code == 200
        assert (await post("/api/gemini/threaded", ann)).status_code == 200
        assert (await post("/api/gemini/stream", ann)).content == b"chunk" * 3
        assert (await post("/api/gemini/silent", ann)).status_code == 200

    browse(service.url, test, mode=mode)
    events = service.events(ann)
    assert [event["usage"] for event in events] == [
        {"calls": 1, "input_tokens": 1000, "output_tokens": 500},
        {"calls": 1, "input_tokens": 11},
        {"calls": 1, "output_tokens": 3},
        {"calls": 1},
    ]
    first = events[0]
    assert (first["provider"], first["model"], first["cost"]) == ("gemini", FLASH, "0.0003125")
    assert (first["endpoint"], first["status_code"]) == ("/api/gemini/says", 200)
    assert "POST" in (first["method"], first["metadata"].get("method"))
    assert first["response_time_ms"] is not None
    assert all((event["reservation_id"] is not None) == (mode == "reserve") for event in events)


@modes
def test_the_provider_is_found_in_the_body_and_the_usage_in_the_answer(
    mode: str, service: Service, subject: NewSubject
) -> None:
    ann = subject("only-5")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        answer = await post("/api/generate", ann, json={"model": FLASH, "prompt": "x" * 9000})
        assert answer.json()["echo"] == 9000

    browse(service.url, test, mode=mode)
    (event,) = service.events(ann)
    assert (event["provider"], event["model"]) == ("gemini", FLASH)
    assert event["usage"] == {"calls": 1, "input_tokens": 3, "output_tokens": 4}


@modes
def test_a_full_quota_is_answered_with_429_and_the_handler_does_not_run(
    mode: str, service: Service, subject: NewSubject
) -> None:
    ann = subject("only-1")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        assert (await post("/api/gemini/silent", ann)).status_code == 200
        answer = await post("/api/gemini/silent", ann)
        assert answer.status_code == 429
        said = answer.json()
        assert (said["success"], said["error"]) == (False, "UsageLimitExceededException")
        assert said["details"]["limit_value"] == 1 and said["user_id"] == ann
        assert said["message"].startswith("The limit of 1 on gemini_calls")
        assert ran == ["silent"]
        other = await post("/api/generate", ann, json={"model": "gpt-4o", "prompt": ""})
        assert (other.status_code, other.json()["error"]) == (403, "SubscriptionException")

    browse(service.url, test, mode=mode)
    assert service.calls(ann) == 1


def test_the_caller_is_told_what_is_left_and_when_to_come_back(
    service: Service, subject: NewSubject
) -> None:
    ann = subject("free")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        answer = await post("/api/gemini/silent", ann)
        assert answer.headers["ratelimit"].startswith('"gemini_calls";r=99')
        await client.record(ann, "gemini", usage={"calls": 99})
        answer = await post("/api/gemini/silent", ann)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0

    browse(service.url, test)


@modes
def test_failures_count_as_errors_and_use_nothing_of_a_quota(
    mode: str, service: Service, subject: NewSubject
) -> None:
    ann = subject("only-1")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        assert (await post("/api/gemini/invalid", ann)).status_code == 422
        assert (await post("/api/gemini/bad-gateway", ann)).status_code == 502
        assert (await post("/api/gemini/breaks", ann)).status_code == 500
        assert (await post("/api/gemini/silent", ann)).status_code == 200

    browse(service.url, test, mode=mode)
    statuses = [(event["status_code"], event["error"]) for event in service.events(ann)]
    assert statuses == [(502, None), (500, "Broken"), (200, None)]
    statistics = service.statistics(ann)
    assert statistics["total_calls"] == 1
    assert statistics["error_rate"] == 66.67


def test_of_many_requests_at_once_as_many_succeed_as_fit(
    service: Service, subject: NewSubject
) -> None:
    ann = subject("only-10")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        answers = await asyncio.gather(*(post("/api/gemini/silent", ann) for _ in range(60)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 50

    browse(service.url, test)
    assert service.calls(ann) == 10


def test_who_names_nobody_is_not_let_in_and_what_calls_nobody_is_let_through(
    service: Service,
) -> None:
    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        answer = await post("/api/gemini/silent")
        assert (answer.status_code, answer.json()["error"]) == (401, "SubscriptionException")
        assert (await post("/echo", content=b"12345")).json() == {"bytes": 5}
        assert ran == []

    browse(service.url, test)


def test_a_subject_that_the_service_does_not_take_is_the_callers_mistake(
    service: Service,
) -> None:
    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        assert (await post("/api/gemini/silent", "a//b")).status_code == 400

    browse(service.url, test, on_failure="allow")


def test_a_body_reaches_the_app_as_it_was_sent(service: Service) -> None:
    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        json = {"content-type": "application/json"}
        for size in (0, 1, 70_000, 200_000):

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(size // 1000):
                    yield b"x" * 1000
                yield b"x" * (size % 1000)

            for content in (b"x" * size, chunks()):
                answer = await post("/echo", headers=json, content=content)
                assert answer.json() == {"bytes": size}

    browse(service.url, test)


def test_closed_the_app_answers_503_while_the_service_is_away(nobody: str) -> None:
    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        answer = await post("/api/gemini/silent", "ann")
        assert (answer.status_code, answer.json()["error"]) == (503, "SubscriptionException")
        assert ran == []

    browse(nobody, test)


@modes
def test_open_the_app_goes_on_and_its_use_is_kept(mode: str, nobody: str) -> None:
    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        for _ in range(5):
            assert (await post("/api/gemini/silent", "ann")).status_code == 200
        assert client.waiting() == 5
        await client.close(timeout_seconds=0)

    browse(nobody, test, on_failure="allow", mode=mode)


def test_patterns_subjects_and_estimates_are_the_apps_own(
    service: Service, subject: NewSubject
) -> None:
    ann = subject("only-5")

    async def test(post: Browser, client: AsyncClient, ran: List[str]) -> None:
        assert (await post("/echo", "", content=b"12345")).status_code == 200
        refused = await post("/echo", "", content=b"x" * 6)
        assert refused.status_code == 429

    async def who(scope: Any) -> str:
        return ann

    browse(
        service.url,
        test,
        subject=who,
        detect=by_patterns([Pattern("gemini", path="^/echo$")]),
        estimate=lambda request: {"calls": int(request.headers["content-length"])},
        usage_of=lambda body: {"calls": body["bytes"]},
    )
    assert service.calls(ann) == 5


def test_a_subject_may_be_what_another_middleware_has_put_into_the_state() -> None:
    subject = subject_from_state("user_id")
    assert subject({"type": "http", "state": {"user_id": 7}}) == "7"
    assert subject({"type": "http", "state": {}}) is None
    assert subject({"type": "http"}) is None


def test_a_preflight_request_is_not_metered(service: Service) -> None:
    async def run() -> None:
        async with AsyncClient(service.url) as client:
            transport = httpx.ASGITransport(app_of(client, []))
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as browser:
                assert (await browser.options("/api/gemini/silent")).status_code == 405

    asyncio.run(run())
