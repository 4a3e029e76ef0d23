"""A limit holds however many ask at once: the client adds nothing and loses nothing."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import List

import pytest
from conftest import NewSubject
from service import Service
from tollgate import AsyncClient, Client, UsageLimitExceededException

LIMIT = 40

#: Chosen anew in each run; a failure names its own.
SEEDS = [random.randrange(10**9) for _ in range(3)]


class Ledger:
    """The naive model: what may be under way or used at any moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.used = 0
        self.held = 0
        self.peak = 0

    def hold(self, calls: int) -> None:
        with self._lock:
            self.held += calls
            self.peak = max(self.peak, self.used + self.held)

    def settle(self, held: int, used: int) -> None:
        with self._lock:
            self.held -= held
            self.used += used


class Failed(Exception):
    pass


@pytest.mark.parametrize("seed", SEEDS)
def test_threads_that_reserve_settle_and_fail_never_pass_the_limit(
    seed: int, client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject(f"only-{LIMIT}")
    ledger = Ledger()

    def work(number: int) -> None:
        dice = random.Random(seed * 1000 + number)
        asked = dice.randint(1, 4)
        outcome = dice.choice(["all", "less", "fails"])
        try:
            with client.call(ann, "gemini", usage={"calls": asked}) as call:
                ledger.hold(asked)
                used = {"all": asked, "less": dice.randint(0, asked), "fails": 0}[outcome]
                # The model gives back first, so that it never holds more than the service does.
                ledger.settle(asked, used)
                if outcome == "fails":
                    raise Failed
                call.used(calls=used)
        except (UsageLimitExceededException, Failed):
            pass

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(80)))
    assert ledger.peak <= LIMIT, f"seed {seed}"
    assert service.calls(ann) == ledger.used <= LIMIT, f"seed {seed}"
    quota = client.check(ann, "gemini").quotas[0]
    assert quota.used == ledger.used and quota.reserved == 0, f"seed {seed}"
    # What is left is to be had to the last call, and not one more.
    if ledger.used < LIMIT:
        client.reserve(ann, "gemini", usage={"calls": LIMIT - ledger.used})
    with pytest.raises(UsageLimitExceededException):
        client.reserve(ann, "gemini")


def test_of_a_hundred_tasks_exactly_as_many_succeed_as_fit(
    subject: NewSubject, service: Service
) -> None:
    ann = subject("only-10")

    async def run() -> List[bool]:
        async with AsyncClient(service.url, timeout_seconds=30) as client:

            async def one() -> bool:
                try:
                    async with client.call(ann, "gemini"):
                        # Whoever is in stays in until all have asked.
                        asked.append(True)
                        if len(asked) == 100:
                            all_asked.set()
                        await all_asked.wait()
                        return True
                except UsageLimitExceededException:
                    asked.append(False)
                    if len(asked) == 100:
                        all_asked.set()
                    return False

            asked: List[bool] = []
            all_asked = asyncio.Event()
            return await asyncio.gather(*(one() for _ in range(100)))

    assert sum(asyncio.run(run())) == 10
    assert service.calls(ann) == 10
