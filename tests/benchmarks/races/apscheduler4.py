"""APScheduler 4, a pre-release: its synchronous scheduler with its SQLAlchemy store on SQLite in WAL mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apscheduler import ConflictPolicy, Scheduler
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import create_engine, event

from benchmarks.races import effects

__all__ = ["APScheduler4"]


class APScheduler4:
    """`durability` is SQLite's `synchronous`."""

    def __init__(self, durability: str = "full") -> None:
        self._durability = durability

    def open(self, directory: Path) -> None:
        """In the background."""
        engine = create_engine(f"sqlite:///{directory / 'jobs.db'}")

        def prepare(connection: Any, _: object) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._durability}")

        event.listen(engine, "connect", prepare)
        self._scheduler = Scheduler(data_store=SQLAlchemyDataStore(engine))
        self._scheduler.__enter__()
        self._scheduler.start_in_background()

    def once(self, count: int, due: datetime) -> None:
        """One by one."""
        for number in range(count):
            self._add(number, DateTrigger(due))

    def every_second(self, begins: list[datetime]) -> None:
        """Interval triggers with a start each."""
        for number, begin in enumerate(begins):
            self._add(number, IntervalTrigger(seconds=1, start_time=begin))

    def add(self, number: int) -> None:
        """`add_schedule`."""
        self._add(number, IntervalTrigger(hours=1, start_time=datetime.now(UTC) + timedelta(days=1)))

    def _add(self, number: int, trigger: Any) -> None:
        self._scheduler.add_schedule(
            effects.note, trigger, args=[number], id=effects.name_of(number), misfire_grace_time=None,
            conflict_policy=ConflictPolicy.replace,
        )  # fmt: skip

    def close(self) -> None:
        """And wait for what runs."""
        self._scheduler.stop()
        self._scheduler.wait_until_stopped()
        self._scheduler.__exit__(None, None, None)

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """It keeps results for as long as it is told to, which is not at all as it comes."""
        return []
