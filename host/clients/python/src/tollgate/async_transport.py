"""HTTP/1.1 on asyncio, as much of it as the service speaks, and bounded waiting."""

from __future__ import annotations

import asyncio
import ssl
from typing import Dict, List, Mapping, Optional, Tuple

from .address import Address
from .errors import ServiceUnavailableException
from .transport import IDLE_MAX, unavailable
from .wire import Answer, Request

#: Of an answer's status line and headers, and of each line in a chunked body.
HEAD_BYTES_MAX = 64 * 1024
#: No answer that this package asks for comes near.
BODY_BYTES_MAX = 16 * 1024 * 1024

#: What a broken connection or a broken answer raises.
BROKEN = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)


class Connection:
    """One exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.reusable = False

    async def exchange(self, request: bytes) -> Answer:
        self.reusable = False
        self._writer.write(request)
        await self._writer.drain()
        status, headers = await self._head()
        while status < 200:
            status, headers = await self._head()
        body = await self._body(status, headers)
        return Answer(status, headers, body)

    def close(self) -> None:
        self._writer.close()

    async def _head(self) -> Tuple[int, Dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip("\r\n").split("\r\n")
        version, _, rest = status_line.partition(" ")
        if version != "HTTP/1.1":
            raise ValueError(f"not an HTTP/1.1 answer: {status_line[:80]!r}")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(rest[:3]), headers

    async def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        body = b""
        length = headers.get("content-length")
        if status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self._chunks()
        elif length is not None:
            body = await self._reader.readexactly(bounded(int(length)))
        else:
            # The answer ends with the connection.
            return await self._reader.read(BODY_BYTES_MAX)
        self.reusable = headers.get("connection", "").lower() != "close"
        return body

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            line = await self._reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            bounded(len(body) + size)
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body


def bounded(length: int) -> int:
    if not 0 <= length <= BODY_BYTES_MAX:
        raise ValueError(f"an answer of {length} bytes")
    return length


class AsyncTransport:
    """Sends requests from any number of tasks at once, on one event loop at a time."""

    def __init__(
        self,
        address: Address,
        *,
        timeout_seconds: float,
        headers: Optional[Mapping[str, str]] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._headers = dict(headers or {})
        self._tls = tls
        self._idle: List[Connection] = []
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    async def send(self, request: Request) -> Answer:
        """Raises `ServiceUnavailableException` where the answer is not whole in time."""
        try:
            return await asyncio.wait_for(self._send(request), self._timeout_seconds)
        except asyncio.TimeoutError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Closes the connections that are idle; those in use end with their request."""
        idle, self._idle = self._idle, []
        for connection in idle:
            # A loop that has ended has taken its connections along.
            if self._loop is not None and not self._loop.is_closed():
                connection.close()

    async def _send(self, request: Request) -> Answer:
        if self._loop is not asyncio.get_running_loop():
            # Connections belong to the loop that opened them.
            self.close()
            self._loop = asyncio.get_running_loop()
        written = self._written(request)
        if self._idle:
            try:
                return await self._exchange(self._idle.pop(), written)
            except ServiceUnavailableException:
                # The service closes what was idle for long, and all when it restarts.
                self.close()
        return await self._exchange(await self._connect(), written)

    async def _connect(self) -> Connection:
        tls = (self._tls or ssl.create_default_context()) if self._address.tls else None
        try:
            reader, writer = await asyncio.open_connection(
                self._address.host, self._address.port, ssl=tls, limit=HEAD_BYTES_MAX
            )
        except OSError as error:
            raise unavailable(error) from error
        return Connection(reader, writer)

    async def _exchange(self, connection: Connection, request: bytes) -> Answer:
        try:
            answer = await connection.exchange(request)
        except BROKEN as error:
            raise unavailable(error) from error
        finally:
            if connection.reusable and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    def _written(self, request: Request) -> bytes:
        headers = {
            "host": self._address.host_header,
            "accept": "application/json",
            **{name.lower(): value for name, value in self._headers.items()},
            **request.headers,
        }
        if request.body is not None:
            headers["content-length"] = str(len(request.body))
        lines = [f"{request.method} {self._address.prefix}{request.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header must not have a line break")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (request.body or b"")
