"""What waits here until the service is back: bounded, and on disk where there is a folder."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional

from .errors import TrackingException
from .spool import Spool
from .wire import encoded

#: The service takes 1,000 events in one body, and names so many problems.
BATCH_MAX = 500
#: The service takes 1 MiB.
BATCH_BYTES_MAX = 900_000


@dataclass(frozen=True)
class Entry:
    """Something to be told to the service that can be told twice and counts once."""

    #: A settlement's reservation; ``None`` where the body is an event with an ``event_id``.
    reservation_id: Optional[str]
    body: Mapping[str, Any]
    size_bytes: int

    @classmethod
    def event(cls, body: Mapping[str, Any]) -> Entry:
        return cls(None, body, len(encoded(body)))

    @classmethod
    def settlement(cls, reservation_id: str, body: Mapping[str, Any]) -> Entry:
        return cls(reservation_id, body, len(encoded(body)))

    def line(self) -> bytes:
        json: Dict[str, Any] = {"body": self.body}
        if self.reservation_id is not None:
            json["reservation_id"] = self.reservation_id
        return encoded(json)

    @classmethod
    def read(cls, json: Any) -> Optional[Entry]:
        """What `line` has written; ``None`` for anything else."""
        if not isinstance(json, dict) or not isinstance(json.get("body"), dict):
            return None
        reservation_id = json.get("reservation_id")
        if reservation_id is None:
            return cls.event(json["body"])
        return cls.settlement(str(reservation_id), json["body"])


class Outbox:
    """First in, first out; for any number of threads that put, and one that takes."""

    def __init__(self, entries_max: int, spool: Optional[Spool] = None) -> None:
        self._entries_max = entries_max
        self._spool = spool
        lines = spool.lines() if spool else []
        read = (Entry.read(line) for line in lines)
        #: What an earlier process left is taken also where it is more than the bound.
        self._entries: Deque[Entry] = deque(entry for entry in read if entry is not None)
        # Its lock is reentrant: what somebody waits for may ask how much there is.
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._entries)

    def put(self, entry: Entry) -> None:
        """Raises `TrackingException` where there is no room, or the disk takes no more."""
        if entry.size_bytes > BATCH_BYTES_MAX:
            raise TrackingException(f"an event of {entry.size_bytes} bytes is more than can be sent")
        with self._changed:
            if len(self._entries) >= self._entries_max:
                raise TrackingException(
                    f"the service is away, and {len(self._entries)} records wait already:"
                    " this one is lost"
                )
            if self._spool:
                try:
                    self._spool.append(entry.line())
                except OSError as error:
                    raise TrackingException(f"the queue cannot be written: {error}") from error
            self._entries.append(entry)
            self._changed.notify_all()

    def batch(self) -> List[Entry]:
        """The first entries that can be sent in one request: events, or one settlement."""
        with self._changed:
            batch: List[Entry] = []
            size = 0
            for entry in islice(self._entries, BATCH_MAX):
                size += entry.size_bytes + 1
                if batch and (size > BATCH_BYTES_MAX or entry.reservation_id is not None):
                    break
                batch.append(entry)
                if entry.reservation_id is not None:
                    break
            return batch

    def remove(self, count: int) -> None:
        """Forgets the first entries: the service has them, or will never take them."""
        with self._changed:
            for _ in range(count):
                self._entries.popleft()
            if self._spool:
                self._spool.removed(count, [entry.line for entry in self._entries])
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[], bool], timeout_seconds: Optional[float]) -> bool:
        """Waits until something holds, which is looked at after each change and each `wake`."""
        with self._changed:
            return self._changed.wait_for(holds, timeout_seconds)

    def wake(self) -> None:
        """Has those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            if self._spool:
                self._spool.close()
