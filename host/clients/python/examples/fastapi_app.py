"""An app whose users are metered in each of the ways that this package has.

With Tollgate running (`make run` in the repository):

    pip install 'host/clients/python' fastapi uvicorn
    TOLLGATE_URL=http://127.0.0.1:8080 uvicorn --app-dir host/clients/python/examples fastapi_app:app

    curl -s 127.0.0.1:8000/api/gemini/generate -H 'x-user-id: ann' \\
        -H 'content-type: application/json' -d '{"prompt":"Hello"}'
"""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Dict

from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from tollgate import (
    APIProvider,
    AsyncClient,
    SubscriptionException,
    TollgateMiddleware,
    UsageService,
    metered,
    report_response,
    report_usage,
    subject_from_header,
)

MODEL = "gemini-2.5-flash"

client = AsyncClient(on_failure="allow")
usage_service = UsageService(client)
app = FastAPI(title="Metered by Tollgate")

# A real app takes the user from its session; who may choose the header chooses who pays.
app.add_middleware(TollgateMiddleware, client=client, subject=subject_from_header("x-user-id"))


class Prompt(BaseModel):
    prompt: str


async def ask_gemini(prompt: str) -> Dict[str, Any]:
    """Stands for the call that costs money; answers as Gemini does."""
    await asyncio.sleep(0.01)
    return {
        "candidates": [{"content": {"parts": [{"text": f"You said: {prompt}"}]}}],
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 500},
        "modelVersion": MODEL,
    }


@app.exception_handler(SubscriptionException)
async def refused(_: Request, error: SubscriptionException) -> JSONResponse:
    """For the ways in which it is the handler that is refused, and not the request."""
    return JSONResponse(error.as_response(), error.status_code, error.headers)


@app.post("/api/gemini/generate")
async def by_the_middleware(body: Prompt) -> Dict[str, Any]:
    """The path says which provider it will be; the answer says what was used."""
    answer = await ask_gemini(body.prompt)
    report_response(answer, model=MODEL)
    return {"text": answer["candidates"][0]["content"]["parts"][0]["text"]}


@app.post("/api/gemini/stream")
async def in_a_stream(body: Prompt) -> StreamingResponse:
    """What was used is known when the stream ends."""

    async def words() -> AsyncIterator[str]:
        for word in body.prompt.split():
            yield word + "\n"
        report_usage(model=MODEL, input_tokens=1000, output_tokens=len(body.prompt.split()))

    return StreamingResponse(words(), media_type="text/plain")


@app.post("/write")
async def by_a_block(body: Prompt, x_user_id: str = Header()) -> Dict[str, Any]:
    """The handler knows best when the call begins and ends."""
    async with client.call(
        x_user_id, APIProvider.GEMINI, model=MODEL, usage={"input_tokens": 1000}
    ) as call:
        answer = await ask_gemini(body.prompt)
        call.answered(answer)
    return {"cost": None if call.receipt is None else str(call.receipt.cost)}


@metered(client, APIProvider.GEMINI, model=MODEL, subject="user_id")
async def summarise(user_id: str, text: str) -> str:
    answer = await ask_gemini(text)
    report_response(answer)
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


@app.post("/summarise")
async def by_a_decorator(body: Prompt, x_user_id: str = Header()) -> Dict[str, str]:
    return {"text": await summarise(x_user_id, body.prompt)}


@app.post("/seed")
async def by_the_seeds_calls(body: Prompt, x_user_id: str = Header()) -> JSONResponse:
    """As an app of the seed document does it."""
    can_proceed, message, _ = await usage_service.enforce_usage_limits(
        user_id=x_user_id, provider=APIProvider.GEMINI, tokens_requested=1000
    )
    if not can_proceed:
        return JSONResponse(
            status_code=429, content={"error": "Usage limit exceeded", "message": message}
        )
    await ask_gemini(body.prompt)
    await usage_service.track_api_usage(
        user_id=x_user_id,
        provider=APIProvider.GEMINI,
        endpoint="/seed",
        method="POST",
        tokens_input=1000,
        tokens_output=500,
        cost=0.00125,
        response_time=2.5,
    )
    return JSONResponse({"text": "done"})
