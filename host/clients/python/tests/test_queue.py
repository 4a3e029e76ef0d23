"""The queue's file, without any service."""

from __future__ import annotations

import random
from pathlib import Path
from typing import List

import pytest
from tollgate import TrackingException
from tollgate.outbox import Entry, Outbox
from tollgate.spool import DONE_MAX, Spool


def event(name: str) -> Entry:
    return Entry.event({"event_id": name, "subject": "ann"})


def names(outbox: Outbox) -> List[str]:
    """All that waits, taken out of it."""
    found: List[str] = []
    while len(outbox):
        batch = outbox.batch()
        found += [entry.reservation_id or entry.body["event_id"] for entry in batch]
        outbox.remove(len(batch))
    return found


def test_what_was_put_is_there_in_its_order_after_a_restart(folder: Path) -> None:
    outbox = Outbox(9, Spool(folder))
    outbox.put(event("a"))
    outbox.put(Entry.settlement("r-1", {"usage": {"calls": 1}}))
    outbox.put(event("ö\u2028\n"))
    outbox.close()
    assert names(Outbox(9, Spool(folder))) == ["a", "r-1", "ö\u2028\n"]


def test_a_settlement_is_sent_alone_and_events_together(folder: Path) -> None:
    outbox = Outbox(9)
    for entry in (event("a"), event("b"), Entry.settlement("r-1", {}), event("c")):
        outbox.put(entry)
    sizes = []
    while len(outbox):
        sizes.append(len(outbox.batch()))
        outbox.remove(sizes[-1])
    assert sizes == [2, 1, 1]


def test_a_line_that_a_crash_has_torn_is_passed_over_and_spoils_no_other(folder: Path) -> None:
    outbox = Outbox(9, Spool(folder))
    outbox.put(event("a"))
    outbox.put(event("b"))
    outbox.close()
    path = folder / "queue-1.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    outbox = Outbox(9, Spool(folder))
    outbox.put(event("c"))
    outbox.close()
    assert names(Outbox(9, Spool(folder))) == ["a", "c"]


def test_processes_that_share_a_folder_have_files_of_their_own_and_leave_them_to_the_next(
    folder: Path,
) -> None:
    first, second = Outbox(9, Spool(folder)), Outbox(9, Spool(folder))
    first.put(event("a"))
    second.put(event("b"))
    third = Outbox(9, Spool(folder))
    assert len(third) == 0
    for outbox in (first, second, third):
        outbox.close()
    assert sorted(names(Outbox(9, Spool(folder)))) == ["a", "b"]
    assert [path.name for path in folder.glob("*.jsonl")] == ["queue-1.jsonl"]


def test_a_file_does_not_grow_with_what_has_been_sent(folder: Path) -> None:
    outbox = Outbox(10**6, Spool(folder))
    for number in range(3 * DONE_MAX):
        outbox.put(event(f"e-{number}"))
        if number >= 10:
            outbox.remove(1)
    lines = (folder / "queue-1.jsonl").read_bytes().count(b"\n")
    assert 10 <= lines <= DONE_MAX + 10
    outbox.close()
    # What was sent may be sent again; what was not is there.
    left = names(Outbox(9, Spool(folder)))
    assert left[-10:] == [f"e-{3 * DONE_MAX - 10 + each}" for each in range(10)]


@pytest.mark.parametrize("seed", [random.randrange(10**9) for _ in range(3)])
def test_whatever_was_put_and_not_removed_is_there_after_any_restarts(
    seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    folder = tmp_path / str(seed)
    outbox, waits, removed = Outbox(10**6, Spool(folder)), [], set()
    for number in range(200):
        step = dice.random()
        if step < 0.6:
            outbox.put(event(f"e-{number}"))
            waits.append(f"e-{number}")
        elif step < 0.9:
            count = min(len(waits), dice.randint(0, 3), len(outbox))
            assert [entry.body["event_id"] for entry in outbox.batch()][:count] == waits[:count]
            outbox.remove(count)
            removed.update(waits[:count])
            del waits[:count]
        else:
            outbox.close()
            outbox = Outbox(10**6, Spool(folder))
            # Some that were removed may be back, before those that were not.
            there = [entry.body["event_id"] for entry in outbox._entries]
            assert there[len(there) - len(waits) :] == waits, f"seed {seed}"
            assert set(there) - set(waits) <= removed, f"seed {seed}"
            waits = there
    outbox.close()


def test_a_disk_that_takes_no_more_is_told_to_whoever_puts(folder: Path) -> None:
    outbox = Outbox(9, Spool(folder))
    outbox.put(event("a"))
    spool = outbox._spool
    assert spool is not None

    class Full:
        """A disk that takes half a line."""

        def __init__(self, path: Path) -> None:
            self._file = path.open("ab")

        def write(self, data: bytes) -> int:
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            raise OSError(28, "No space left on device")

        def flush(self) -> None: ...

        def close(self) -> None:
            self._file.close()

    spool._file.close()
    spool._file = Full(folder / "queue-1.jsonl")  # type: ignore[assignment]
    with pytest.raises(TrackingException, match="No space left"):
        outbox.put(event("b"))
    assert len(outbox) == 1
    outbox.put(event("c"))
    outbox.close()
    assert names(Outbox(9, Spool(folder))) == ["a", "c"]
