"""The named points at which a victim dies, and the seams at which they are seen.

Almost all are seen at the wire: `sqlite3.connect` is made to give connections that look at their statements. What a
transaction is, is told by the rows it writes, so nothing here knows how the scheduler is built. Three points lie
between the statements: the choice of a runner, the settling of an outcome, and the callbacks, which are the victim's.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from faults.evidence import CALLED

__all__ = ["POINTS", "Death", "watch"]


def _around(*kinds: str) -> tuple[str, ...]:
    """Before the statement that makes a transaction one of this kind; after it, before COMMIT; after COMMIT."""
    return tuple(f"{phase}-{kind}" for kind in kinds for phase in ("before", "in", "after"))


_CALLS = ("create", "edit", "pause", "resume", "run", "cancel", "delete")

#: By what they are about. Of recovery there is something to see only after a kill in a callback.
POINTS: dict[str, tuple[str, ...]] = {
    "from claim to end": (
        *_around("claim"),
        "claimed-not-started",
        "callback-before-effect",
        *_around("recover"),
        "callback-after-effect",
        "callback-returned",
        *_around("end"),
    ),
    "what follows": _around("retry", "skip", "miss", "finish", "deactivate"),
    "calls": _around(*_CALLS),
    "answers": tuple(f"answered-{call}" for call in _CALLS),  # right after the line that says that it was answered
    "the file": (
        *_around("migrate"),
        *(f"{phase}-checkpoint" for phase in ("before", "during", "after")),
        "during-stop",
        *(f"{phase}-close" for phase in ("before", "during", "after")),
    ),
}

_CHANGES = CALLED | {"deactivated": "deactivate", "finished": "finish"}
_STATES = {
    "running": "claim",
    "succeeded": "end",
    "failed": "end",
    "timed_out": "end",
    "lost": "recover",
    "skipped": "skip",
    "missed": "miss",
}


class Death:
    """Kills this process at the nth passing of one point; with no point, never."""

    def __init__(self, point: str | None, passing: int = 1, seed: int = 0) -> None:
        if point is not None and not any(point in points for points in POINTS.values()):
            raise ValueError(f"there is no point {point!r}")
        self._point = point
        self._left = passing
        self._random = random.Random(seed)
        self._gate = threading.Lock()

    def passes(self, point: str) -> None:
        """The process is at `point`."""
        if self._is_now(point):
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def somewhere_in(self, point: str, takes: float) -> Generator[None]:
        """What takes about so many seconds, and cannot be looked into: die in it, or, if it is quicker, at its end."""
        dies = self._is_now(point)
        if dies:
            delay = self._random.uniform(0, takes)
            threading.Thread(target=_die_in, args=(delay,), name="death", daemon=True).start()
        yield
        if dies:
            _die_in(0)

    def _is_now(self, point: str) -> bool:
        if point != self._point:
            return False
        with self._gate:
            self._left -= 1
            return self._left == 0


def _die_in(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def watch(death: Death) -> None:
    """Have every connection that is made from now on, and the steps between claim and end, pass their points."""
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **{"factory": _Watched, **options})
        if isinstance(connection, _Watched):
            connection.death = death
        return connection

    sqlite3.connect = watched

    # These are the product's own names; where one is gone, the point is too, and the test that dies there says so.
    from aurora_scheduler.engine import perform, runners

    runners.Runners.choose = _first(death, "claimed-not-started", runners.Runners.choose)
    perform.settle = _first(death, "callback-returned", perform.settle)  # type: ignore[attr-defined]


def _first(death: Death, point: str, function: Callable[..., Any]) -> Any:
    def pass_and_call(*args: Any, **options: Any) -> Any:
        death.passes(point)
        return function(*args, **options)

    return pass_and_call


class _Watched(sqlite3.Connection):
    """A connection that knows what its transaction is about."""

    death = Death(None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kinds: dict[str, None] = {}
        self._has_written = False

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self._kinds.clear()
        if sql == "COMMIT":
            return self._commit(sql)
        if sql.startswith("PRAGMA wal_checkpoint"):
            self.death.passes("before-checkpoint")
            with self.death.somewhere_in("during-checkpoint", 0.001):
                cursor = super().execute(sql)
            self.death.passes("after-checkpoint")
            return cursor
        self._meet(sql, [parameters])
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        rows = list(parameters)
        self._meet(sql, rows)
        return super().executemany(sql, rows)

    def close(self) -> None:
        if not self._has_written:  # one that only reads, or looks whether this is a database, is not the one
            super().close()
            return
        self.death.passes("before-close")
        with self.death.somewhere_in("during-close", 0.002):
            super().close()
        self.death.passes("after-close")

    def _meet(self, sql: str, rows: Sequence[Any]) -> None:
        for kind in _kinds(sql, rows):
            if kind not in self._kinds:
                self._kinds[kind] = None
                self.death.passes(f"before-{kind}")

    def _commit(self, sql: str) -> sqlite3.Cursor:
        for kind in self._kinds:
            self.death.passes(f"in-{kind}")
        cursor = super().execute(sql)
        self._has_written = True
        for kind in self._kinds:
            self.death.passes(f"after-{kind}")
        self._kinds.clear()
        return cursor


def _kinds(sql: str, rows: Sequence[Any]) -> list[str]:
    """What a statement makes of its transaction."""
    words = " ".join(sql.split())
    if words.startswith(("CREATE TABLE aurora_", "ALTER TABLE aurora_")):
        return ["migrate"]
    if words.startswith("INSERT INTO aurora_jobs "):
        return ["create"]
    if words.startswith("DELETE FROM aurora_jobs WHERE id = ?"):
        return ["delete"]
    if words.startswith("INSERT INTO aurora_job_changes"):
        return [_CHANGES[row["kind"]] for row in _named(words, rows) if row["kind"] in _CHANGES]
    if words.startswith("INSERT INTO aurora_executions"):
        return [kind for row in _named(words, rows) if (kind := _kind_of_new(row))]
    if words.startswith("UPDATE aurora_executions SET status"):
        return [_STATES[row["status"]] for row in _named(words, rows) if row["status"] in _STATES]
    return []


def _kind_of_new(row: dict[str, Any]) -> str | None:
    if row["status"] == "waiting" and row["attempt"] > 1 and row["reason"] is None:
        return "retry"
    return _STATES.get(row["status"])


def _named(sql: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The rows' values by the names of their columns, as far as the statement says them."""
    if sql.startswith("INSERT"):
        (listed,) = re.findall(r"\(([^()]*)\) VALUES", sql)
        names = [name.strip(' "') for name in listed.split(",")]
    else:
        names = re.findall(r"(\w+) = \?", sql.partition(" WHERE ")[0])
    return [dict(zip(names, row, strict=False)) for row in rows]
