"""A request and its answer on their way through the middleware: looked at, and not changed."""

from __future__ import annotations

import json
from typing import Any, Awaitable, Callable, Dict, List, Mapping, MutableMapping, Optional

from .detection import Incoming

Message = MutableMapping[str, Any]


class Asking:
    """A request whose body is looked into before the app reads it, where it is short JSON."""

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        bytes_max: int,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._bytes_max = bytes_max
        self._read: List[Message] = []

    async def incoming(self) -> Incoming:
        headers = {
            bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1")
            for name, value in self._scope["headers"]
        }
        body = await self._peek() if self._worth_a_look(headers) else b""
        return Incoming(self._scope["method"], self._scope["path"], headers, parsed(body))

    async def receive(self) -> Message:
        """What was read already comes first."""
        return self._read.pop(0) if self._read else await self._receive()

    def _worth_a_look(self, headers: Mapping[str, str]) -> bool:
        if not is_json(headers.get("content-type", "")) or "content-encoding" in headers:
            return False
        length = headers.get("content-length", "0")
        return length.isdigit() and int(length) <= self._bytes_max

    async def _peek(self) -> bytes:
        """The whole body, or nothing where it is longer than it may be."""
        body = b""
        more = True
        while more and len(body) <= self._bytes_max:
            message = await self._receive()
            self._read.append(message)
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
        return body if len(body) <= self._bytes_max else b""


class Answering:
    """An answer on its way out: its status, and its body where it is short JSON."""

    def __init__(
        self,
        send: Callable[[Message], Awaitable[None]],
        bytes_max: int,
        headers: Mapping[str, str],
    ) -> None:
        self._send = send
        self._bytes_max = bytes_max
        self._headers = headers
        self._body: Optional[bytes] = None
        #: ``None`` until it has begun.
        self.status: Optional[int] = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._begin(message)
        elif message["type"] == "http.response.body" and self._body is not None:
            self._body += message.get("body", b"")
            if len(self._body) > self._bytes_max:
                self._body = None
        await self._send(message)

    def json(self) -> Any:
        return None if self._body is None else parsed(self._body)

    def _begin(self, message: Message) -> Message:
        """Adds what the service says of the quota to the headers that the app has set."""
        self.status = message["status"]
        headers = list(message.get("headers", ()))
        names: Dict[bytes, bytes] = {bytes(name).lower(): bytes(value) for name, value in headers}
        plain = b"content-encoding" not in names
        if plain and is_json(names.get(b"content-type", b"").decode("latin-1")):
            self._body = b""
        for name, value in self._headers.items():
            if name.encode("latin-1") not in names:
                headers.append((name.encode("latin-1"), value.encode("latin-1")))
        return {**message, "headers": headers}


def is_json(content_type: str) -> bool:
    media_type = content_type.split(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
