"""Something between a client and the service that does not do its work."""

from __future__ import annotations

import socket
import threading
from typing import Callable, List
from urllib.parse import urlsplit


class Server:
    """Answers each connection by a function, in a thread of its own."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        #: How many connections there were.
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._answer(connection)
            except OSError:
                pass


def request_of(connection: socket.socket) -> bytes:
    """Reads one request to its end; empty where the client has hung up."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def swallows_answers(url: str, count: int) -> Server:
    """Passes every request on, and the first answers back to nobody."""
    port = urlsplit(url).port or 80
    swallowed: List[bytes] = []
    lock = threading.Lock()

    def answer(connection: socket.socket) -> None:
        while True:
            request = request_of(connection)
            if not request:
                return
            with socket.create_connection(("127.0.0.1", port)) as service:
                head, _, body = request.partition(b"\r\n\r\n")
                service.sendall(head + b"\r\nconnection: close\r\n\r\n" + body)
                said = b""
                while True:
                    more = service.recv(65536)
                    if not more:
                        break
                    said += more
            with lock:
                if len(swallowed) < count:
                    swallowed.append(said)
                    return
            connection.sendall(said)
            return

    return Server(answer)
