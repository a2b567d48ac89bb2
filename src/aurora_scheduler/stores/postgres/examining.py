"""How a database on a server is, looked at from outside: nothing is changed, and nobody is held up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from aurora_scheduler.stores.examining import Examination
from aurora_scheduler.stores.migrations import TABLES
from aurora_scheduler.stores.postgres.addresses import place_of
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.nodes import firing
from aurora_scheduler.stores.postgres.schema import KNOWN, steps_of

__all__ = ["examine", "is_in_use", "job_names"]


def is_in_use(url: str) -> bool:
    """Whether a scheduler has ever used this database: our tables are in it."""
    with _looked_at(url) as sql:
        return bool(steps_of(sql, place_of(url)))


def examine(url: str) -> Examination:
    """Look at a database. Raises `StoreError` where it cannot be read, or a newer release has made it."""
    with _looked_at(url) as sql:
        version = len(steps_of(sql, place_of(url)))
        ((size,),) = sql.find(
            "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS t (name)",
            list(TABLES),
        )
        nodes = firing(sql)
        return Examination(
            kind="database",
            place=place_of(url),
            size=int(size),
            log_size=None,
            damage=None,
            version=version,
            known=len(KNOWN),
            owner=_told(len(nodes)),
            tags=frozenset().union(*nodes),
        )


def _told(nodes: int) -> str | None:
    return None if not nodes else "a process fires the jobs" if nodes == 1 else f"{nodes} processes fire the jobs"


def job_names(url: str, beginning: str, most: int) -> list[tuple[str, str]]:
    """The ids and names of jobs, of which one begins so: `most` at most, oldest first."""
    query = (
        "SELECT id, name FROM aurora_jobs WHERE starts_with(id, %s) OR starts_with(name, %s) ORDER BY number LIMIT %s"
    )
    with _looked_at(url) as sql:
        return [(job_id, name) for job_id, name in sql.find(query, beginning, beginning, most)]


@contextmanager
def _looked_at(url: str) -> Generator[Connection]:
    sql = Connection(url, place_of(url))
    try:
        with sql.steady():
            yield sql
    finally:
        sql.close()
