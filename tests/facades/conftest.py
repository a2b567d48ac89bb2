"""Schedulers on files of their own, started, and stopped in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sniffio

from aurora_scheduler import CronService, SchedulerManager
from facades.callbacks import Stage, a_stage
from facades.scripts import Script


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with a_stage() as stage:
        yield stage


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def manager(anyio_backend: str, database: Path) -> AsyncIterator[SchedulerManager]:
    """A manager that was initialised, and is stopped, on the test's own loop."""
    assert sniffio.current_async_library() == anyio_backend
    manager = SchedulerManager(database)
    await manager.initialize()
    manager.start()
    yield manager
    await manager.stop(drain=0)


@pytest.fixture
def cron(database: Path) -> Iterator[CronService]:
    cron = CronService(database)
    cron.start()
    yield cron
    cron.shutdown(drain=0)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[[str], Script]]:
    """Run a program in the test's own directory."""
    running: list[Script] = []

    def run(source: str) -> Script:
        running.append(Script(tmp_path, source))
        return running[-1]

    yield run
    for each in running:
        if each.process.returncode is None:
            each.is_killed()
