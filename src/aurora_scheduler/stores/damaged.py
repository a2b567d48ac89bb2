"""Rows that are damaged: bytes that fell over, a text where a number belongs, an edit by hand that went wrong.

One such row must not take the scheduler down with all its other jobs. A job is shown with what can be read of it, and
is unresolved: it does not fire, and cannot be edited, because what was made up for the rest would be written. A row of
the history is shown, and says so; one that is open is left where it is, and nothing is made of it. Where it cannot be
told whose row it is, it is passed over. Each is told in the log, once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from aurora_scheduler.errors import shown
from aurora_scheduler.logs import logger
from aurora_scheduler.model import CallbackName, Change, Execution, Job, JobStatus
from aurora_scheduler.stores.rows import (
    DAMAGE,
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    STATE_COLUMNS,
    Row,
    change_value,
    execution_value,
    job_value,
    misfits,
)

__all__ = ["DamagedJob", "RowReader", "fetched"]

_log = logger("store")

_JOB = tuple(JOB_COLUMNS.split(", "))
_EXECUTION = tuple(name.strip('"') for name in EXECUTION_COLUMNS.split(", "))
#: Without these nobody can say which job, or in which state, the row is.
_IDENTITY = {"id", "generation", "version"}
#: What is mended as soon as the state is written next; not the status, since a person may have paused the job.
_PASSING = set(STATE_COLUMNS.split(", ")) - {"status"}
#: What stands for a value that cannot be read; None for all others.
_STAND_INS: dict[str, Any] = {
    "schedule_type": "phrase",
    "schedule_value": "",
    "timezone": "UTC",
    "callback_args": "{}",
    "policies": "{}",
    "tags": "[]",
    "trigger": "schedule",
    **dict.fromkeys(("name", "job_name", "callback_module", "callback_function", "id", "job_id"), "(damaged)"),
    **dict.fromkeys(("anchor", "created", "updated", "scheduled", "last_scheduled", "due", "next_delay"), 0),
    **dict.fromkeys(("generation", "runs", "retry_count"), 0),
    **dict.fromkeys(("count", "attempt"), 1),
}


@dataclass(frozen=True, kw_only=True)
class DamagedJob(Job):
    """What can be read of a job whose row is damaged; the rest is made up."""

    damage: str


def fetched(sql: sqlite3.Connection, query: str, arguments: Any = ()) -> list[Row]:
    """All rows; a text that is not UTF-8 comes as its bytes, where it alone would spoil the whole answer."""
    try:
        return sql.execute(query, arguments).fetchall()
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    before, sql.text_factory = sql.text_factory, _text_or_bytes
    try:
        return sql.execute(query, arguments).fetchall()
    finally:
        sql.text_factory = before


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


class RowReader:
    """Makes values of a database's rows, damaged ones too."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._told: set[str] = set()

    def jobs(self, rows: Iterable[Row]) -> list[Job]:
        """The jobs, without those of which not even that is known."""
        return [job for row in rows if (job := self.job(row)) is not None]

    def job(self, row: Row) -> Job | None:
        """The job; a `DamagedJob`, or None, where the row is damaged."""
        try:
            return job_value(row)
        except DAMAGE:
            bad = misfits(row, JOB_COLUMNS)
        names = {_JOB[place] for place in bad}
        what = _said(row, bad, _JOB)
        if not bad or names & _IDENTITY:
            told = f"a row of aurora_jobs, of job {shown(row[0])}, is damaged and passed over ({what})"
            self._tell(told, job_id=row[0])
            return None
        damage = f"its row is damaged ({what}); delete the job and create it anew, or restore a backup"
        self._tell(f"job {shown(row[0])} does not fire: {damage}", job_id=row[0])
        return _damaged(row, bad, names, damage)

    def executions(self, rows: Iterable[Row]) -> list[Execution]:
        """The executions, for people to read: a damaged one says so."""
        return [self.execution(row) for row in rows]

    def execution(self, row: Row) -> Execution:
        """The execution; where the row is damaged, what can be read of it, with an error that says so."""
        try:
            return execution_value(row)
        except DAMAGE:
            bad = misfits(row, EXECUTION_COLUMNS)
        stand_ins = {**_STAND_INS, "status": "lost"}
        mended = [stand_ins.get(name) if at in bad else row[at] for at, name in enumerate(_EXECUTION)]
        mended[_EXECUTION.index("error")] = f"the row of this execution is damaged ({_said(row, bad, _EXECUTION)})"
        return execution_value(tuple(mended))

    def open_executions(self, rows: Iterable[Row]) -> list[Execution]:
        """Executions to go on with: a damaged one is left out."""
        values = []
        for row in rows:
            try:
                values.append(execution_value(row))
            except DAMAGE:
                what = _said(row, misfits(row, EXECUTION_COLUMNS), _EXECUTION)
                self._tell(
                    f"execution {shown(row[0])} of job {shown(row[1])} is left as it is: its row is damaged ({what})",
                    job_id=row[1],
                    execution_id=row[0],
                )
        return values

    def changes(self, rows: Iterable[Row]) -> list[Change]:
        """The lines of a job's own history that can be read."""
        values = []
        for row in rows:
            try:
                values.append(change_value(row))
            except DAMAGE:
                self._tell(f"a line in the history of job {shown(row[0])} is damaged and passed over", job_id=row[0])
        return values

    def _tell(self, text: str, **ids: object) -> None:
        if text not in self._told:
            self._told.add(text)
            fields = {name: value if isinstance(value, str) else repr(value) for name, value in ids.items()}
            _log.error("the database %s: %s", self._path, text, extra=fields)


def _damaged(row: Row, bad: list[int], names: set[str], damage: str) -> DamagedJob:
    stand_ins = {**_STAND_INS, "status": "unresolved"}
    job = job_value(tuple(stand_ins.get(name) if at in bad else row[at] for at, name in enumerate(_JOB)))
    values: dict[str, Any] = {field.name: getattr(job, field.name) for field in fields(job)}
    if job.status is JobStatus.ACTIVE:
        values["status"] = JobStatus.UNRESOLVED
    if not names <= _PASSING:
        # Nobody will find it: what was made up for the rest is never run.
        values["callback"] = CallbackName("(damaged)", job.callback.qualname)
    values["status_reason"] = values["damage"] = damage
    return DamagedJob(**values)


def _said(row: Row, bad: list[int], columns: tuple[str, ...]) -> str:
    return ", ".join(f"{columns[place]} is {shown(row[place], 40)}" for place in bad[:3])
