"""Questions about a long history: ten million rows of ten thousand jobs, made by hand; milliseconds each.

From `tests`: `python -m benchmarks.history --rows 10000000`. It makes a database of some gigabytes in a temporary
directory, which takes a few minutes.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aurora_scheduler import CronService
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.stores.statements import INSERT_EXECUTION

_JOBS = 10_000
_APART = 170_000  # microseconds: ten million rows are some twenty days


def fill(path: Path, rows: int, first: int) -> None:
    """A database with so many ended executions, the first at this instant."""
    store = SqliteStore(str(path))
    store.open()
    store.close()
    with sqlite3.connect(path, isolation_level=None) as sql:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            sql.execute(f"PRAGMA {pragma}")
        indexes = sql.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
            " AND tbl_name = 'aurora_executions'"
        ).fetchall()
        for name, _ in indexes:
            sql.execute(f"DROP INDEX {name}")  # and made anew at the end: in a tenth of the time
        sql.execute("BEGIN")
        sql.executemany(INSERT_EXECUTION, _rows(rows, first))
        sql.execute("COMMIT")
        for _, text in indexes:
            sql.execute(text)
        sql.execute("PRAGMA journal_mode = WAL")
    sql.close()


def _rows(count: int, first: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        at, job = first + number * _APART, number % _JOBS
        status = "failed" if number % 97 == 0 else "missed" if number % 301 == 0 else "succeeded"
        yield (
            f"{at:016x}{number:016x}", f"job {job:05}", 1, f"job {job}", "UTC", at, at, 1, 1, "schedule", status, None,
            at, at + 1_000, at + 5_000, '{"success": true}', None, None, "an owner",
        )  # fmt: skip


def milliseconds(ask: Callable[[], object], times: int = 9) -> str:
    """The median of so many, and the most."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        took.append((time.perf_counter() - begun) * 1000)
    return f"{statistics.median(took):8.2f} ms (at most {max(took):.2f})"


def main(rows: int) -> None:
    """Make the database, and ask."""
    first = datetime.now(UTC) - timedelta(microseconds=rows * _APART)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "jobs.db")
        begun = time.perf_counter()
        fill(path, rows, int(first.timestamp() * 1e6))
        print(f"{rows:,} rows, {path.stat().st_size / 2**30:.1f} GiB, made in {time.perf_counter() - begun:.0f} s")
        middle = first + timedelta(microseconds=rows * _APART / 2)
        cron = CronService(path, timezone="UTC")
        ask_for = cron.get_executions
        with cron:
            oldest = ask_for(before=first + timedelta(seconds=60))[0]
            questions: dict[str, Callable[[], object]] = {
                "the newest 100": ask_for,
                "of one job": lambda: ask_for("job 00007"),
                "of a status": lambda: ask_for(status="failed"),
                "of a status that there is not": lambda: ask_for(status="lost"),
                "of one job and a status": lambda: ask_for("job 00007", "missed"),
                "the page before one of long ago": lambda: ask_for(before=oldest),
                "of one job, before an instant in the middle": lambda: ask_for("job 00007", before=middle),
                "before an instant in the middle": lambda: ask_for(before=middle),
            }
            for name, ask in questions.items():
                print(f"{name:>45}: {milliseconds(ask)}", flush=True)
        store = SqliteStore(str(path))
        store.open()
        newest = store.executions(limit=100_000)[-1].id
        looks: dict[str, Callable[[], object]] = {
            "who has too many rows, of the next 100 jobs": lambda: store.crowded(1_000, "job 04999", 100),
            "who had new rows, of the newest 100,000": lambda: store.fired_since(newest, 100),
        }
        for name, ask in looks.items():
            print(f"{name:>45}: {milliseconds(ask)}", flush=True)
        store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    main(parser.parse_args().rows)
