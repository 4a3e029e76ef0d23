"""HTTP for threads: connections that are kept, and bounded waiting."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from typing import Dict, List, Mapping, Optional, Tuple

from .address import Address
from .errors import ServiceUnavailableException
from .wire import Answer, Request

#: More than this many connections are not kept for later.
IDLE_MAX = 32


class Transport:
    """Sends requests from any number of threads at once."""

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
        self._idle: List[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(self, request: Request) -> Answer:
        """Raises `ServiceUnavailableException` where there is no answer in time.

        The time bounds each wait for the network; answers are small, so there are few.
        """
        connection, kept = self._connection()
        try:
            return self._exchange(connection, request)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            # The service closes what was idle for long, and all when it restarts.
            if not kept or isinstance(error, socket.timeout):
                raise unavailable(error) from error
        self.close()
        connection = self._connect()
        try:
            return self._exchange(connection, request)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unavailable(error) from error

    def close(self) -> None:
        """Closes the connections that are idle; those in use end with their request."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connection(self) -> Tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        host, port, seconds = self._address.host, self._address.port, self._timeout_seconds
        if self._address.tls:
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=seconds)

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        headers: Dict[str, str] = {**self._headers, **request.headers}
        path = self._address.prefix + request.path
        connection.request(request.method, path, body=request.body, headers=headers)
        response = connection.getresponse()
        body = response.read()
        answer = Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            body,
        )
        if response.will_close:
            connection.close()
            return answer
        with self._lock:
            if len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
                return answer
        connection.close()
        return answer


def unavailable(error: BaseException) -> ServiceUnavailableException:
    kind = type(error).__name__
    said = str(error) or "no answer in time"
    return ServiceUnavailableException(f"the usage service cannot be reached ({kind}: {said})")
