"""The example runs, as an app developer would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import httpx
from conftest import NewSubject
from service import Service, eventually, free_port

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_the_fastapi_example_meters_in_each_of_its_ways(
    service: Service, subject: NewSubject
) -> None:
    ann, port = subject("only-5"), free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app"]
    app = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning"],
        env={**os.environ, "TOLLGATE_URL": service.url},
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:

            def up() -> bool:
                try:
                    return browser.get("/openapi.json").status_code == 200
                except httpx.TransportError:
                    return False

            def post(path: str) -> httpx.Response:
                return browser.post(path, json={"prompt": "a b"}, headers={"x-user-id": ann})

            eventually("the app is up", up)
            assert post("/api/gemini/generate").json() == {"text": "You said: a b"}
            assert post("/api/gemini/stream").text == "a\nb\n"
            assert post("/write").json() == {"cost": "0.0003125"}
            assert post("/summarise").json() == {"text": "You said: a b"}
            assert post("/seed").status_code == 200
            refused = [post(path) for path in ("/api/gemini/generate", "/write", "/seed")]
            assert [answer.status_code for answer in refused] == [429] * 3
            # The answer is with the caller before the middleware tells what was used.
            events = eventually("all is recorded", lambda: all_of(service, ann, 5))
    finally:
        app.terminate()
        app.wait()
    costs = sorted(event["cost"] for event in events)
    assert costs == ["0.00012575", "0.0003125", "0.0003125", "0.0003125", "0.00125"]


def all_of(service: Service, subject: str, count: int) -> List[Dict[str, Any]]:
    """The events of a subject, if there are so many."""
    events = service.events(subject)
    return events if len(events) >= count else []
