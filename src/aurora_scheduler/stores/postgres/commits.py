"""Whether a transaction took effect whose commit was not answered: the server knows.

Decisions are known by one of their rows, which nobody else can have written so. Whatever else is known by the number of
its transaction. After a crash the server gives numbers anew that were not written down yet, so a crash has to be seen:
it empties a table that is not logged, as does a failover, and who connects next writes another id into it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aurora_scheduler.errors import StoreUnavailableError
from aurora_scheduler.model import Commit, Execution
from aurora_scheduler.stores.postgres.connection import Connection

__all__ = ["Witness", "asked_patiently", "became", "is_written", "life", "witness_of"]

#: How often, and how many seconds apart, the server is asked, which may start anew, or have to let go of what a
#: connection had that is lost.
_TRIES, _PAUSE = 15, 0.2

_BEGIN = "INSERT INTO aurora_life (id) SELECT gen_random_uuid() ON CONFLICT DO NOTHING"
_LIFE = "SELECT id::text FROM aurora_life"
#: What is not given yet was given before a crash.
_STATUS = (
    "SELECT CASE WHEN %s::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status(%s::xid8)"
    " ELSE 'aborted' END"
)

_IS_THERE = "SELECT 1 FROM aurora_executions WHERE id = %s"
_IS_SO = (
    f"{_IS_THERE} AND (status, reason, due, started, finished, owner) IS NOT DISTINCT FROM"
    " (%s::text, %s::text, %s::bigint, %s::bigint, %s::bigint, %s::text)"
)


class Witness(NamedTuple):
    """A row that is there, or is as it is here, only if some decisions were written."""

    row: Execution
    is_new: bool


def witness_of(commits: Sequence[Commit]) -> Witness | None:
    """A row among those that they write; None: there is none."""
    new = next((row for commit in commits for row in commit.new), None)
    if new is not None:
        return Witness(new, is_new=True)
    moved = next((row for commit in commits for row in commit.moved), None)
    return None if moved is None else Witness(moved, is_new=False)


def is_written(sql: Connection, witness: Witness) -> bool:
    """Whether the row was written; no, too, where it was, and somebody has gone on with it since."""
    row = witness.row
    if witness.is_new:
        return bool(sql.find(_IS_THERE, row.id))
    values = (row.id, str(row.status), row.reason, row.due, row.started, row.finished, row.owner)
    return bool(sql.find(_IS_SO, *values))


def life(sql: Connection) -> str:
    """Which of its lives the server is in: from one crash to the next."""
    found = sql.find(_LIFE)
    if not found:
        sql.do(_BEGIN)
        found = sql.find(_LIFE)
    return str(found[0][0])


def became(sql: Connection, transaction: str, begun_in: str) -> bool | None:
    """Whether the transaction of this number was committed, which has ended; None: that cannot be known."""
    ((status,),) = sql.find(_STATUS, transaction, transaction)
    if status == "committed":
        return True if life(sql) == begun_in else None
    return False


def asked_patiently(connection: Callable[[], Connection], question: Callable[[Connection], bool | None]) -> bool | None:
    """What the server answers, who is asked for a few seconds; None: it is away, or cannot know.

    In no transaction: what one statement waited for is to be seen by the next.
    """
    for turn in range(_TRIES + 1):
        if turn:
            threading.Event().wait(_PAUSE)
        try:
            return question(connection())
        except StoreUnavailableError:
            continue
    return None
