"""Aurora Scheduler: durable as it comes, or as asked; sync callbacks in worker threads, async ones in its loop."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aurora_scheduler import CronService, NewJob, SchedulerManager
from benchmarks.races import effects

__all__ = ["Aurora", "AuroraPlain"]


class Aurora:
    """`durability` is "full" or "normal", or "memory": no file."""

    def __init__(self, durability: str = "full", callback: str = "sync", **options: Any) -> None:
        self._options = options if durability == "memory" else {"durability": durability, **options}
        self._in_memory = durability == "memory"
        self._callback = effects.note if callback == "sync" else effects.note_async

    def open(self, directory: Path) -> None:
        """From an asyncio program."""
        self._loop = asyncio.Runner()
        path = ":memory:" if self._in_memory else directory / "jobs.db"
        self._manager = SchedulerManager(path, timezone="UTC", **self._options)
        self._loop.run(self._manager.initialize())
        self._manager.start()

    def once(self, count: int, due: datetime) -> None:
        """By `create_jobs`."""
        self._create(count, [due.isoformat()] * count)

    def every_second(self, begins: list[datetime]) -> None:
        """By `create_jobs`, with a `start_at` of each."""
        self._create(len(begins), ["every 1 second"] * len(begins), [{"start_at": begin} for begin in begins])

    def _create(self, count: int, schedules: list[str], options: list[dict[str, Any]] | None = None) -> None:
        jobs = [
            NewJob(
                name=effects.name_of(number),
                job_id=effects.name_of(number),
                schedule=schedules[number],
                callback=self._callback,
                callback_args={"number": number},
                **(options[number] if options else {}),
            )
            for number in range(count)
        ]
        self._loop.run(self._manager.create_jobs(jobs))

    def add(self, number: int) -> None:
        """By `create_relative_job`."""
        self._loop.run(self._add(number))

    def crowd(self, callers: int, each: int) -> None:
        """As many tasks, which create one after the other."""

        async def caller() -> None:
            for number in range(each):
                await self._add(number)

        async def all_of_them() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(callers):
                    group.create_task(caller())

        self._loop.run(all_of_them())

    async def _add(self, number: int) -> None:
        await self._manager.create_relative_job(
            name=effects.name_of(number), relative_time="every 1 hour", callback_module="benchmarks.races.effects",
            callback_function=self._callback.__name__, callback_args={"number": number}, start_at=_tomorrow(),
        )  # fmt: skip

    def close(self) -> None:
        """And wait for what runs."""
        self._loop.run(self._manager.stop(drain=30))
        self._loop.close()

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """Each firing that had its effect must have a row, begun and ended well, and no other row may be there."""
        if self._in_memory:
            return []
        return _complaints(directory, firings)


class AuroraPlain:
    """The plain calls, from any thread: for creating jobs."""

    def open(self, directory: Path) -> None:
        """Without an event loop."""
        self._cron = CronService(directory / "jobs.db", timezone="UTC")
        self._cron.start()

    def add(self, number: int) -> None:
        """By `schedule_relative`."""
        self._cron.schedule_relative(
            name=effects.name_of(number), relative_time="every 1 hour", callback=effects.note,
            callback_args={"number": number}, start_at=_tomorrow(),
        )  # fmt: skip

    def close(self) -> None:
        """And wait for what runs."""
        self._cron.shutdown()

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """As the other's."""
        return _complaints(directory, firings)


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def _complaints(directory: Path, firings: int) -> list[str]:
    with closing(sqlite3.connect(directory / "jobs.db")) as sql:
        rows = dict(sql.execute("SELECT status, sum(count) FROM aurora_executions GROUP BY status").fetchall())
        (runs,) = sql.execute("SELECT coalesce(sum(runs), 0) FROM aurora_jobs").fetchone()
    return [
        *([] if rows == ({"succeeded": firings} if firings else {}) else [f"{firings} effects, rows: {rows}"]),
        *([] if runs == firings else [f"{firings} effects, its jobs tell of {runs} runs"]),
    ]
