"""APScheduler 3.11: `BackgroundScheduler` with its SQLAlchemy store on SQLite in WAL mode, or with its memory store.

Its pool has as many worker threads as Aurora Scheduler's; nothing is dropped for being late, and a job may run beside
itself as often as Aurora's may wait.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import create_engine, event

from benchmarks.races import effects

__all__ = ["APScheduler3"]

_WORKERS = 40


class APScheduler3:
    """`durability` is SQLite's `synchronous`, or "memory"."""

    def __init__(self, durability: str = "full") -> None:
        self._durability = durability

    def open(self, directory: Path) -> None:
        """With the store asked for."""
        self._scheduler = BackgroundScheduler(
            jobstores={"default": self._store(directory)},
            executors={"default": ThreadPoolExecutor(_WORKERS)},
            job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 10},
            timezone=UTC,
        )
        self._scheduler.start()

    def _store(self, directory: Path) -> Any:
        if self._durability == "memory":
            return MemoryJobStore()
        engine = create_engine(f"sqlite:///{directory / 'jobs.db'}")

        def prepare(connection: Any, _: object) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._durability}")

        event.listen(engine, "connect", prepare)
        return SQLAlchemyJobStore(engine=engine)

    def once(self, count: int, due: datetime) -> None:
        """One by one: it has no call for many."""
        for number in range(count):
            self._scheduler.add_job(effects.note, "date", run_date=due, args=[number], id=effects.name_of(number))

    def every_second(self, begins: list[datetime]) -> None:
        """Interval triggers with a start date each."""
        for number, begin in enumerate(begins):
            self._scheduler.add_job(
                effects.note, "interval", seconds=1, start_date=begin, args=[number], id=effects.name_of(number)
            )

    def add(self, number: int) -> None:
        """`add_job`."""
        start = datetime.now(UTC) + timedelta(days=1)
        self._scheduler.add_job(effects.note, "interval", hours=1, start_date=start, args=[number])

    def close(self) -> None:
        """And wait for what runs."""
        self._scheduler.shutdown()

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """It keeps no history: the effects are all there is."""
        return []
