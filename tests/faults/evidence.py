"""What is known after a life: the database as plain SQLite shows it, and the victims' journal.

Nothing here imports the scheduler. Schedules are read and computed anew, from the stored row: `anchor + k * period`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from faults.journal import Line, read

__all__ = ["FINAL", "SECOND", "Call", "Definition", "Evidence", "JobLife", "Row", "Segment", "State"]

Row = dict[str, Any]
SECOND = 1_000_000
FINAL = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed"})


@dataclass(frozen=True)
class State:
    """A database, as one generation left it."""

    jobs: dict[str, Row]
    executions: dict[str, Row]
    changes: list[Row]
    integrity: str

    @classmethod
    def of(cls, path: Path) -> State:
        """Read everything. A database of a victim that died before it made the tables is empty."""
        sql = sqlite3.connect(path)
        try:
            integrity = str(sql.execute("PRAGMA integrity_check").fetchone()[0])
            if not sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'aurora_jobs'").fetchone():
                return cls({}, {}, [], integrity)
            sql.row_factory = sqlite3.Row
            jobs, executions, changes = (
                [dict(row) for row in sql.execute(f"SELECT * FROM {table} ORDER BY {order}")]
                for table, order in (
                    ("aurora_jobs", "id"), ("aurora_executions", "id"), ("aurora_job_changes", "number")
                )
            )  # fmt: skip
        except sqlite3.DatabaseError as error:
            return cls({}, {}, [], f"it cannot be read: {error}")
        finally:
            sql.close()
        return cls({row["id"]: row for row in jobs}, {row["id"]: row for row in executions}, changes, integrity)


@dataclass(frozen=True)
class Definition:
    """A schedule, as far as it is needed here: one instant, or a fixed rate."""

    anchor: int
    period: int
    repeats: bool
    starts: int | None
    max_runs: int | None

    @classmethod
    def read(cls, anchor: int, schedule: str, starts: int | None, max_runs: int | None) -> Definition:
        """From the stored text: "every 2 seconds", "in 1 second"."""
        found = re.fullmatch(r"(every|in) (\d+) (second|hour)s?", schedule)
        if found is None:
            raise ValueError(f"no victim has a schedule like {schedule!r}")
        unit = SECOND if found[3] == "second" else 3600 * SECOND
        return cls(anchor, int(found[2]) * unit, found[1] == "every", starts, max_runs)

    @classmethod
    def said(cls, said: dict[str, Any]) -> Definition:
        """As a victim has it in its journal."""
        return cls.read(said["anchor"], said["schedule"], said["starts"], said["max_runs"])

    @classmethod
    def of_row(cls, job: Row) -> Definition:
        """From a row of aurora_jobs."""
        policies = json.loads(job["policies"])
        return cls.read(job["anchor"], job["schedule_value"], policies.get("starts"), policies.get("max_runs"))

    def has(self, instant: int) -> bool:
        """Whether it fires then."""
        passed = instant - self.anchor
        if not self.repeats:
            return passed == self.period
        first = 0 if self.starts is not None else self.period
        return passed >= first and passed % self.period == 0

    def between(self, after: int, before: int) -> Iterator[int]:
        """Its instants strictly between the two."""
        if not self.repeats:
            if after < self.anchor + self.period < before:
                yield self.anchor + self.period
            return
        first = 0 if self.starts is not None else 1
        number = max(first, (after - self.anchor) // self.period + 1)
        while (instant := self.anchor + number * self.period) < before:
            yield instant
            number += 1


@dataclass(frozen=True)
class Segment:
    """A time in which a job was active with one definition. What falls on its edges may go either way."""

    definition: Definition
    asked: int
    """When the call was made that began it: from then on its firings may be."""
    begin: int
    end: int | None


@dataclass
class JobLife:
    """One job (one generation of an id): when it was active with what, as its history tells."""

    job_id: str
    generation: int
    status: str = "active"
    segments: list[Segment] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)

    def __str__(self) -> str:
        return f"job {self.job_id} ({self.generation})"

    @property
    def is_open(self) -> bool:
        """Whether it is active to this day."""
        return bool(self.segments) and self.segments[-1].end is None

    def begin(self, definition: Definition, asked: int, at: int) -> None:
        """Active from here on, with this."""
        self.end(at)
        self.status = "active"
        self.segments.append(Segment(definition, asked, at, None))

    def end(self, at: int) -> None:
        """Active no more."""
        if self.is_open:
            last = self.segments.pop()
            self.segments.append(Segment(last.definition, last.asked, last.begin, at))

    def was_active(self, at: int) -> bool:
        """Whether it was, strictly, then."""
        return any(part.begin < at and (part.end is None or at < part.end) for part in self.segments)

    def has(self, instant: int) -> bool:
        """Whether a firing may be at `instant`."""
        return any(
            part.asked <= instant and (part.end is None or instant <= part.end) and part.definition.has(instant)
            for part in self.segments
        )

    def instants(self, until: int) -> list[int]:
        """What must have a record: its instants while it was active, and before `until`."""
        found: set[int] = set()
        for part in self.segments:
            found.update(part.definition.between(part.begin, until if part.end is None else min(until, part.end)))
        return sorted(found)


@dataclass(frozen=True)
class Call:
    """A call of the person's, and its answer if it came to that."""

    asked: Line
    answer: Line | None
    latest: int
    """It had its effect by then, or never: its answer, or the end of its process."""

    @property
    def what(self) -> tuple[str, str]:
        """Its kind, and the job."""
        return self.asked["call"], self.asked["job"]

    def __str__(self) -> str:
        return f"call {self.asked['number']} of process {self.asked.pid} ({self.asked['call']} {self.asked['job']})"


#: Lines of the history that only calls make, and which.
CALLED = {
    "created": "create",
    "updated": "edit",
    "paused": "pause",
    "resumed": "resume",
    "deleted": "delete",
    "run_requested": "run",
    "cancel_requested": "cancel",
}


class Evidence:
    """All of it, sorted."""

    def __init__(self, snapshots: Sequence[Path], journal: Path) -> None:
        self.states = [State.of(path) for path in snapshots]
        self.lines = read(journal)

    @property
    def last(self) -> State:
        """The database in the end."""
        return self.states[-1]

    @cached_property
    def calls(self) -> list[Call]:
        """In the order in which they were made."""
        answers = {(line.pid, line["number"]): line for line in self.lines if line.what == "answer"}
        ended = {line.pid: line.at for line in self.lines}  # the last one says so
        never = max(ended.values(), default=0) + 3600 * SECOND
        made = []
        for line in self.lines:
            if line.what == "call":
                answer = answers.get((line.pid, line["number"]))
                made.append(Call(line, answer, never if answer is None else answer.at))
        return made

    def call_of(self, change: Row) -> Call | None:
        """The call that made this line of a job's history: made before it, and not answered before it."""
        kind = CALLED[change["kind"]]
        found = [
            call for call in self.calls
            if call.what == (kind, change["job_id"]) and call.asked.at <= change["at"] <= call.latest
        ]  # fmt: skip
        return found[-1] if found else None

    @cached_property
    def lives(self) -> dict[tuple[str, int], JobLife]:
        """Every job that its history knows."""
        lives: dict[tuple[str, int], JobLife] = {}
        for change in self.last.changes:
            key = change["job_id"], change["generation"]
            life = lives.setdefault(key, JobLife(*key))
            self._follow(life, change)
        return lives

    def _follow(self, life: JobLife, change: Row) -> None:
        kind, at = change["kind"], change["at"]
        if kind in ("created", "updated"):
            call = self.call_of(change)
            definition = None if call is None else self._definition(call, life.generation)
            if call is None or definition is None:
                return  # `check` says so
            life.definitions.append(definition)
            if kind == "created" or life.is_open:
                life.begin(definition, call.asked.at, at)
        elif kind == "resumed" and life.definitions:
            life.begin(life.definitions[-1], at, at)
        elif kind in ("paused", "deactivated", "finished", "deleted"):
            life.end(at)
            life.status = kind

    def _definition(self, call: Call, generation: int) -> Definition | None:
        """What the call made of the job: as it was answered, or as the database had it when the process was dead."""
        if call.answer is not None:
            return Definition.said(call.answer["definition"])
        for line in self.said("found"):  # by the next process, where two live on one file
            said = line["definition"]
            if (line["job"], said["name"], said["generation"]) == (call.asked["job"], call.asked["name"], generation):
                return Definition.said(said)
        for state in self.states:
            job = state.jobs.get(call.asked["job"])
            if job is not None and (job["name"], job["generation"]) == (call.asked["name"], generation):
                return Definition.of_row(job)
        return None

    @cached_property
    def firings(self) -> dict[tuple[str, int, int], list[Row]]:
        """The attempts at each firing, in order; a range stands under its first instant."""
        firings: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
        for row in sorted(self.last.executions.values(), key=lambda row: row["attempt"]):
            firings[row["job_id"], row["generation"], row["scheduled"]].append(row)
        return dict(firings)

    def said(self, what: str) -> list[Line]:
        """The lines of one kind."""
        return [line for line in self.lines if line.what == what]

    def story(self, job_id: str) -> list[str]:
        """All that is known of a job, as it happened: for whoever is to find out what went wrong."""
        told = [
            (call.asked.at, f"{call}, {'answered' if call.answer else 'not answered'}")
            for call in self.calls
            if call.asked["job"] == job_id
        ]
        told += [
            (each["at"], f"history: {each['kind']} {each['detail'] or ''}")
            for each in self.last.changes
            if each["job_id"] == job_id
        ]
        for row in self.last.executions.values():
            if row["job_id"] == job_id:
                due = f"due, {row['count']} up to {row['last_scheduled']}, {row['trigger']}, attempt {row['attempt']}"
                told.append((row["scheduled"], f"{due}: {row['status']} {row['reason'] or ''}, {row['started']}"))
        told += [
            (line.at, f"process {line.pid}: {line.what}")
            for line in self.lines
            if line.what in ("opening", "started", "killed", "stopping", "stopped")
        ]
        return [f"{at} {what}" for at, what in sorted(told)]
