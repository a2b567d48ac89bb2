"""huey: `SqliteHuey` and its consumer in this process, with worker threads. It has no jobs that run every second."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

from huey import SqliteHuey
from huey.consumer import Consumer

from benchmarks.races import effects

__all__ = ["Huey"]

_WORKERS = 40


class Huey:
    """With every commit made to last."""

    def open(self, directory: Path) -> None:
        """Consumer and producer at once."""
        self._huey = SqliteHuey(filename=str(directory / "jobs.db"), results=False, fsync=True)
        self._task = self._huey.task()(effects.note)
        self._consumer = Consumer(self._huey, workers=_WORKERS, periodic=False, check_worker_health=False)
        self._consumer.start()

    def once(self, count: int, due: datetime) -> None:
        """Tasks with an "eta", which its scheduler looks for once a second."""
        for number in range(count):
            self._task.schedule((number,), eta=due.astimezone().replace(tzinfo=None))

    def every_second(self, begins: list[datetime]) -> None:
        """It cannot."""
        raise NotImplementedError("huey looks at periodic tasks once a minute")

    def add(self, number: int) -> None:
        """A task for in an hour."""
        self._task.schedule((number,), delay=3600)

    def close(self) -> None:
        """And wait for what runs."""
        self._consumer.stop(graceful=True)
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join(10)

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """What was done is gone from its queue."""
        with closing(sqlite3.connect(directory / "jobs.db")) as sql:
            (left,) = sql.execute("SELECT count(*) FROM task").fetchone()
        return [] if left == 0 else [f"{left} tasks are left in its queue"]
