"""The queue's file: JSON lines, appended as they come, and rewritten when much of it is done.

A line that is there is with the operating system, so it outlives the process; it may not outlive
a power cut. A line that was sent may still be there after a crash: sending it again is harmless.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import IO, Any, Callable, Iterable, List, Optional, Sequence

log = logging.getLogger("tollgate")

#: So many lines may be in the file that need not be, before it is rewritten.
DONE_MAX = 1000
#: More processes than this do not share a folder.
FILES_MAX = 256
#: What the service will never take is kept beside, up to this size.
REJECTED_BYTES_MAX = 10 * 1024 * 1024


class Spool:
    """A file in a folder that processes may share: each has one of its own.

    What a process left behind that is gone is taken over by the next that starts.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._locks: List[IO[bytes]] = []
        paths = list(self._free(folder))
        if not paths:
            raise OSError(f"{folder}: {FILES_MAX} processes use this folder already")
        self._path, *orphans = paths
        self._lines: List[Any] = []
        for path in paths:
            self._lines += read(path)
        self._done = 0
        self._rewrite(line(each) for each in self._lines)
        for orphan in orphans:
            # Its lines are in our own file now.
            orphan.unlink()
        self._release(self._locks[1:])
        del self._locks[1:]

    def lines(self) -> List[Any]:
        """What was there at the start, once."""
        lines, self._lines = self._lines, []
        return lines

    def append(self, entry: bytes) -> None:
        """Raises `OSError`, and the file is as before then."""
        try:
            self._file.write(entry + b"\n")
            self._file.flush()
            self._bytes += len(entry) + 1
        except OSError:
            # A part of it may be there, and would spoil the next line.
            self._reopen(self._bytes)
            raise

    def removed(self, count: int, rest: Sequence[Callable[[], bytes]]) -> None:
        """The first lines are done; ``rest`` writes those that stay."""
        self._done += count
        if rest and self._done < max(DONE_MAX, len(rest)):
            return
        try:
            if rest:
                self._rewrite(entry() for entry in rest)
            else:
                self._reopen(0)
            self._done = 0
        except OSError as error:
            # What is done stays in the file, and will be sent again: harmless.
            log.warning("%s cannot be rewritten: %s", self._path, error)

    def reject(self, entry: bytes) -> None:
        """Keeps what the service will never take, for a person to look at."""
        path = self._folder / "rejected.jsonl"
        try:
            if path.exists() and path.stat().st_size > REJECTED_BYTES_MAX:
                return
            with path.open("ab") as file:
                file.write(entry + b"\n")
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error)

    def close(self) -> None:
        self._file.close()
        self._release(self._locks)
        self._locks = []

    def _free(self, folder: Path) -> Iterable[Path]:
        """The first file that nobody has, and all others with lines that nobody has."""
        for number in range(1, FILES_MAX + 1):
            path = folder / f"queue-{number}.jsonl"
            if self._locks and not path.exists():
                continue
            held = lock(path.with_suffix(".lock"))
            if held is not None:
                self._locks.append(held)
                yield path

    def _release(self, locks: Iterable[IO[bytes]]) -> None:
        for held in locks:
            held.close()

    def _rewrite(self, lines: Iterable[bytes]) -> None:
        """All or nothing: the new file takes the old one's name when it is whole."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.writelines(each + b"\n" for each in lines)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        old: Optional[IO[bytes]] = getattr(self, "_file", None)
        if old is not None:
            old.close()
        os.replace(fresh, self._path)
        self._reopen(size)

    def _reopen(self, size: int) -> None:
        """Opens the file for appending after its first bytes."""
        old: Optional[IO[bytes]] = getattr(self, "_file", None)
        if old is not None:
            try:
                old.close()
            except OSError:
                # It had something to write that does not fit: that is what is cut off.
                pass
        os.truncate(self._path, size)
        self._file: IO[bytes] = self._path.open("ab")
        self._bytes = size


def read(path: Path) -> List[Any]:
    """The lines that are whole; the last one may be torn by a crash, and was never promised."""
    lines = []
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    for number, each in enumerate(raw.splitlines(), 1):
        try:
            lines.append(json.loads(each))
        except ValueError:
            log.warning("%s:%d: not a whole line, passed over", path, number)
    return lines


def line(json_value: Any) -> bytes:
    return json.dumps(json_value, separators=(",", ":")).encode("ascii")


def lock(path: Path) -> Optional[IO[bytes]]:
    """Holds a file for as long as it is open; ``None`` where another process holds it."""
    file = path.open("ab")
    if sys.platform == "win32":
        # No such lock there: give each process a folder of its own.
        return file
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
