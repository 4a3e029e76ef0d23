"""What the tests share: one service, and subjects that are nobody else's."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Callable, Iterator

import pytest
from service import Service
from tollgate import Client

_numbers = itertools.count(1)

#: Gives a new subject, on a plan.
NewSubject = Callable[[str], str]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("home"))
    service.start()
    yield service
    service.kill()


@pytest.fixture
def service(running: Service) -> Service:
    """The service that all tests share; who ends it starts it again."""
    return running


@pytest.fixture
def subject(service: Service) -> NewSubject:
    def new(plan: str) -> str:
        name = f"user-{next(_numbers)}"
        service.plan(name, plan)
        return name

    return new


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, timeout_seconds=20) as client:
        yield client


@pytest.fixture
def nobody() -> str:
    """An address where nobody answers."""
    from service import free_port

    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "queue"
