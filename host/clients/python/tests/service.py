"""A running service for the tests, in a folder of its own, as an operator would lay it out."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

REPOSITORY = Path(__file__).resolve().parents[4]
PROGRAM = REPOSITORY / (os.environ.get("TOLLGATE") or "target/release/tollgate")
PATIENCE_SECONDS = 60.0

#: Plans whose quotas never reset, so that no test depends on the day it runs.
PLANS = "".join(
    f"""
[[config.plans]]
id = "only-{calls}"
name = "Only {calls}"
tier = "free"
price_monthly = "0"
price_yearly = "0"
features = []
providers = ["gemini"]
quotas = [{{ name = "gemini_calls", meter = "calls", limit = {calls}, window = "lifetime" }}]
"""
    for calls in (0, 1, 5, 10, 40)
)


class Service:
    """Keeps its address and its ledger across restarts."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        policies = home / "policies"
        shutil.copytree(REPOSITORY / "policies", policies)
        if not PROGRAM.exists() or not list(policies.glob("*.wasm")):
            pytest.exit("there is no service to test against: run `make build` first", 1)
        with (policies / "standard-tiers.toml").open("a") as file:
            file.write(PLANS)
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        self.launch()
        eventually("the service is ready", self.ready)

    def launch(self) -> None:
        env = {name: value for name, value in os.environ.items() if "TOLLGATE" not in name}
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "serve", "--listen", f"127.0.0.1:{self._port}"],
                cwd=self._home,
                env=env,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log()
        try:
            return bool(self.get("/readyz") is not None)
        except OSError:
            return False

    def kill(self) -> None:
        """As a power cut would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self._home / "log").read_text()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_SECONDS) as answer:
            body: bytes = answer.read()
            return body

    def put(self, path: str, body: Any) -> None:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"content-type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            pass

    def plan(self, subject: str, plan: str) -> None:
        self.put(f"/api/subscription/user/{subject}/subscription", {"plan": plan})

    def events(self, subject: str) -> List[Dict[str, Any]]:
        """All that was ever recorded of a subject, in the order of its recording."""
        lines = self.get("/v1/export?format=ndjson").splitlines()
        events = [json.loads(line) for line in lines]
        return [event for event in events if event["subject"] == subject]

    def calls(self, subject: str) -> int:
        return sum(event["usage"].get("calls", 1) for event in self.events(subject))

    def now(self) -> str:
        return datetime.now(timezone.utc).isoformat()

    def statistics(self, subject: str) -> Dict[str, Any]:
        body = json.loads(self.get(f"/api/subscription/usage/{subject}"))
        data: Dict[str, Any] = body["data"]
        return data


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(what: str, holds: Any) -> Any:
    """Waits until something holds, and gives back what it holds."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < until, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.02)
