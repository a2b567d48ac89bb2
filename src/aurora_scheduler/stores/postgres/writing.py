"""How decisions and jobs are written: whatever comes together, by one statement for each kind of row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from aurora_scheduler.errors import JobExistsError
from aurora_scheduler.model import Change, Commit, Job
from aurora_scheduler.ports import AlreadyRecorded, Fenced, Refused, Stale
from aurora_scheduler.stores.postgres.connection import Connection, columns
from aurora_scheduler.stores.postgres.statements import (
    INSERT_CHANGES,
    INSERT_JOBS,
    SAVE_JOBS,
    all_together,
    together,
)
from aurora_scheduler.stores.rows import change_row, execution_row, job_row, moved_row, state_row

__all__ = [
    "add_jobs",
    "heard_of",
    "next_generation",
    "rename",
    "save_job",
    "write_at_once",
    "write_changes",
    "write_decisions",
]

T = TypeVar("T")

_PART = 5000
_WITH_IT = ("aurora_executions", "aurora_job_changes")


def write_decisions(sql: Connection, commits: Sequence[Commit], holder: str | None) -> list[int]:
    """Write decisions, of those that `holder` holds the jobs of, if it is one; the numbers of their lines of history.

    Raises `Refused` where one does not fit; what was written then has to be taken back.
    """
    kinds, values = _said(commits, holder)
    if not kinds:
        return []
    *written, numbers = sql.find_prepared(f"aurora_see_{'_'.join(kinds)}", together(*kinds), values)
    found = dict(zip(kinds, written, strict=False))
    _see(Stale, [commit.job.id for commit in commits if commit.job is not None], found.get("saved"))
    _see(Fenced, [row.id for commit in commits for row in commit.moved], found.get("moved"))
    _see(AlreadyRecorded, [row.id for commit in commits for row in commit.new], found.get("added"))
    return numbers or []


def write_at_once(sql: Connection, commits: Sequence[Commit], holder: str | None, *before: str) -> list[int] | None:
    """The same, in a transaction of its own, after these statements; None where one does not fit: then none is written.

    There has to be a row among them.
    """
    kinds, values = _said(commits, holder)
    row = sql.at_once(f"aurora_{'_'.join(kinds)}", all_together(*kinds), values, *before)
    return None if row is None else row[1] or []


def _said(commits: Sequence[Commit], holder: str | None) -> tuple[list[str], list[object]]:
    """The kinds of rows that they write, and what is to be said: the columns of each, and how many there are."""
    rows = {
        "saved": [
            (*state_row(job), job.id, job.generation, job.version - 1, holder)
            for job in [commit.job for commit in commits if commit.job is not None]
        ],
        "moved": [moved_row(row) for commit in commits for row in commit.moved],
        "added": [execution_row(row) for commit in commits for row in commit.new],
        "told": [change_row(commit.change) for commit in commits if commit.change is not None],
    }
    kinds = [kind for kind, some in rows.items() if some]
    values: list[object] = [column for kind in kinds for column in columns(rows[kind])]
    return kinds, [*values, *(len(rows[kind]) for kind in kinds if kind != "told")]


def _see(error: type[Refused], ids: Sequence[str], written: Sequence[str] | None) -> None:
    """Raise the error where only some were written; None: all were."""
    if written is not None:
        left = Counter(ids) - Counter(written)  # of two writes of the same one, one is made
        raise error(ids[0] if len(ids) == 1 else f"{len(left)} of {len(ids)}", left)


def write_changes(sql: Connection, changes: Sequence[Change]) -> list[int]:
    """Write lines of jobs' histories; their numbers."""
    return [
        number
        for some in _in_parts(changes)
        for (number,) in sql.write_and_find(INSERT_CHANGES, [change_row(change) for change in some])
    ]


def add_jobs(sql: Connection, jobs: Sequence[Job], holder_of: Callable[[Job], str | None]) -> None:
    """Add jobs, each with its holder.

    Raises `JobExistsError` where there is one of the id of the first, or, of many, of some id.
    """
    for some in _in_parts(jobs):
        if sql.write(INSERT_JOBS, [(*job_row(job), holder_of(job)) for job in some]) != len(some):
            raise JobExistsError(jobs[0].id)


def _in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """While rows are made of very many, nothing is said, and who says nothing for long amid a transaction is let go."""
    return (values[start : start + _PART] for start in range(0, len(values), _PART))


def save_job(sql: Connection, job: Job, job_id: str, generation: int) -> None:
    """Write a job over the version before it, which may have had another id. Raises `Stale`."""
    if sql.write(SAVE_JOBS, [(*job_row(job), job_id, generation, job.version - 1)]) != 1:
        raise Stale(job_id)


def rename(sql: Connection, before: Job, after: Job) -> None:
    """Write the job as `after`, and give its executions and changes the same id and generation.

    Those of former jobs of the old id stay where they are. Raises `Stale` or `JobExistsError`.
    """
    if after.id != before.id and sql.find("SELECT 1 FROM aurora_jobs WHERE id = %s", after.id):
        raise JobExistsError(after.id)
    save_job(sql, after, before.id, before.generation)
    for table in _WITH_IT:
        statement = f"UPDATE {table} SET job_id = %s, generation = %s WHERE job_id = %s AND generation = %s"
        sql.do(statement, after.id, after.generation, before.id, before.generation)


def heard_of(sql: Connection, job_ids: Sequence[str]) -> set[str]:
    """Those of the ids of which there is a job, or the history of one."""
    query = (
        "SELECT id FROM unnest(%s::text[]) AS asked(id)"
        " WHERE EXISTS (SELECT 1 FROM aurora_jobs WHERE id = asked.id)"
        " OR EXISTS (SELECT 1 FROM aurora_executions WHERE job_id = asked.id)"
        " OR EXISTS (SELECT 1 FROM aurora_job_changes WHERE job_id = asked.id)"
    )
    return {job_id for (job_id,) in sql.find(query, list(job_ids))} if job_ids else set()


def next_generation(sql: Connection, job_id: str) -> int:
    """One more than any job, execution or change of this id has."""
    query = (
        "SELECT greatest((SELECT max(generation) FROM aurora_jobs WHERE id = %s),"
        " (SELECT max(generation) FROM aurora_executions WHERE job_id = %s),"
        " (SELECT max(generation) FROM aurora_job_changes WHERE job_id = %s))"
    )
    ((highest,),) = sql.find(query, job_id, job_id, job_id)
    return int(highest or 0) + 1
