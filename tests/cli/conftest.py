"""The command in this process, and databases for it to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from aurora_scheduler import SchedulerManager
from aurora_scheduler.cli import main

Aurora = Callable[..., Result]


@pytest.fixture
def aurora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aurora:
    """Run the command in an empty directory, without a database in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AURORA_SCHEDULER_DB", raising=False)
    return lambda *words, **how: CliRunner().invoke(main, [str(word) for word in words], prog_name="aurora", **how)


def on(database: Path, work: Callable[[SchedulerManager], Awaitable[Any]]) -> Any:
    """Do something with a scheduler that has started, and stop it."""

    async def run() -> Any:
        async with SchedulerManager(database, timezone="UTC") as manager:
            return await work(manager)

    return anyio.run(run, backend="trio")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three jobs: two with one name, one of which ran and one of which failed; one tagged and paused."""
    path = tmp_path / "jobs.db"

    async def fill(manager: SchedulerManager) -> None:
        args = {"name": "Ada"}
        await manager.create_job(
            name="hello", schedule="0 9 * * 1-5", callback="cli.samples.greet", callback_args=args, job_id="first"
        )
        await manager.create_job(
            name="hello",
            schedule="every 1 hour",
            callback="cli.samples.shout",
            job_id="second",
            on_exhausted="continue",
        )
        await manager.create_job(
            name="rest", schedule="every 1 day", callback="cli.samples.nothing", job_id="third", tags=["nightly"]
        )
        await manager.deactivate_job("third")
        await manager.run_job("first", wait=True)
        await manager.update_job("second", max_retries=0)
        await manager.run_job("second", wait=True)

    on(path, fill)
    return path
