"""The nodes: the processes that fire the jobs of one database beside each other, each those that it holds.

A node says every second that it lives, by the server's clock, and has a lock that goes with its connection. Gone is one
that has not said so for long, or, if its lock is free, for a few seconds: then its process is dead, and not only slow.
Only who was heard himself all that time may say so of others: while the server, or the way to it, was away, nobody was.

A job is held by one node at a time, and what it claims is refused where it does not hold the job any more. What is due
first is taken first, of more jobs than its share a node leaves those with which nothing happens just now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aurora_scheduler.ports import Share
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.rows import OPEN_TEXTS

__all__ = ["LOCK_WRITER", "Node", "firing"]

#: Which advisory lock a node has, and which who writes; the second keys are the node's, and the table's.
_NODE, _WRITER = 0x61756F, 0x617577
LOCK_WRITER = f"SELECT pg_advisory_xact_lock({_WRITER}, 'aurora_jobs'::regclass::oid::int)"
_KEY = "('x' || substr(md5(current_schema() || ' ' || other.id), 1, 8))::bit(32)::int"
_LOCK = f"SELECT pg_advisory_lock({_NODE}, {_KEY}) FROM (VALUES (%s)) AS other (id)"

#: In seconds: after how long without a word a node is gone, and after how long if its connection is, too.
_LEASE, _GRACE = 15, 3
#: After how long without a word a node is heard anew.
_GAP = 2.5
_SILENT = "clock_timestamp() - greatest(other.seen, {since})"
_LOCKED = (
    "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND classid = {_NODE} AND objid::int8 = ({_KEY})::int8 & 4294967295)"
)
_GONE = f"{_SILENT} > '{_LEASE} s' OR ({_SILENT} > '{_GRACE} s' AND NOT {_LOCKED})"
_FIRING = f"SELECT count(*) FROM aurora_nodes AS other WHERE NOT ({_GONE.format(since='pg_postmaster_start_time()')})"

#: A row that is inserted, and not updated, has no transaction that has deleted the one before.
_ALIVE = (
    "INSERT INTO aurora_nodes AS node (id, joined, since, seen, takes) SELECT %s, now, now, now, %s"
    " FROM clock_timestamp() AS now ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, takes = excluded.takes,"
    f" since = CASE WHEN excluded.seen - node.seen > '{_GAP} s' THEN excluded.seen ELSE node.since END"
    " RETURNING joined::text, xmax::text = '0'"
)
#: Both are made once, whatever the server knows of the table: it was told last when there were fewer nodes.
_BURY = (
    "WITH me AS MATERIALIZED (SELECT id, since FROM aurora_nodes WHERE id = %s)"
    " DELETE FROM aurora_nodes WHERE id = ANY(ARRAY(SELECT other.id FROM aurora_nodes AS other, me"
    f" WHERE other.id <> me.id AND ({_GONE.format(since='me.since')}) FOR UPDATE OF other SKIP LOCKED))"
    " RETURNING id"
)
_FIRE = "status IN ('active', 'unresolved')"
#: A job that does not fire is looked after as long as something of it waits or runs.
_IS_BUSY = (
    "EXISTS (SELECT 1 FROM aurora_executions AS row WHERE row.job_id = job.id AND row.generation = job.generation"
    f" AND row.status IN ({OPEN_TEXTS}))"
)
#: Whether jobs are free, and how many there are to take them.
_NEWS = (
    f"SELECT EXISTS (SELECT 1 FROM aurora_jobs WHERE holder IS NULL AND {_FIRE}),"
    " (SELECT count(*) FROM aurora_nodes WHERE takes)"
)
_CONCERNS = (
    "SELECT EXISTS (SELECT 1 FROM aurora_job_changes AS change WHERE number > %s AND NOT EXISTS"
    " (SELECT 1 FROM aurora_jobs AS job WHERE job.id = change.job_id AND job.holder <> %s))"
    f" OR EXISTS (SELECT 1 FROM aurora_jobs WHERE holder IS NULL AND {_FIRE})"
)
_COUNT = f"SELECT count(*), count(*) FILTER (WHERE holder = %s) FROM aurora_jobs WHERE {_FIRE}"
_TAKE = (
    "UPDATE aurora_jobs AS job SET holder = %s FROM ("
    f" SELECT id FROM aurora_jobs WHERE holder IS NULL AND {_FIRE} ORDER BY next_fire LIMIT %s FOR UPDATE SKIP LOCKED"
    ") AS free WHERE job.id = free.id RETURNING job.id"
)
_TAKE_BUSY = (
    "UPDATE aurora_jobs AS job SET holder = %s WHERE holder IS NULL AND id IN"
    f" (SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS})) AND {_IS_BUSY} RETURNING id"
)
_RELEASE = (
    "UPDATE aurora_jobs AS job SET holder = NULL"
    f" WHERE holder = %s AND id = ANY(%s::text[]) AND NOT {_IS_BUSY} RETURNING id"
)
_RELEASE_ALL = (
    "UPDATE aurora_jobs AS job SET holder = NULL WHERE holder = %s AND NOT EXISTS"
    " (SELECT 1 FROM aurora_executions AS row WHERE row.job_id = job.id AND row.generation = job.generation"
    " AND row.status IN ('running', 'cancelling')) RETURNING id"
)
#: Of jobs that are over the holder is left standing: who writes such a job anew clears one that is gone.
_ORPHANED = "UPDATE aurora_jobs SET holder = NULL WHERE holder = ANY(%s::text[]) AND "
_ORPHANED_BUSY = f"id IN (SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS}))"
#: Who holds jobs and is no node: from one holder in the index to the next, and not through all that each holds.
_HOLDERS_GONE = (
    "WITH RECURSIVE one (holder) AS (SELECT min(holder) FROM aurora_jobs UNION ALL"
    " SELECT (SELECT min(holder) FROM aurora_jobs AS job WHERE job.holder > one.holder) FROM one"
    " WHERE one.holder IS NOT NULL)"
    " SELECT holder FROM one WHERE holder IS NOT NULL AND NOT EXISTS (SELECT 1 FROM aurora_nodes WHERE id = holder)"
)
#: So many jobs are taken at once: others shall write in between.
_TOGETHER = 2000
#: How often jobs are counted, in rounds, and of how many it is one round more: to count them takes its time, and others
#: wait for it. And one in how many more than its share a node may have.
_COUNTED, _MANY, _SLACK = 5, 10_000, 20


def firing(sql: Connection) -> int:
    """How many nodes there are that have given a sign of life lately."""
    ((count,),) = sql.find(_FIRING)
    return int(count)


def _free_orphaned(sql: Connection) -> None:
    gone = [holder for (holder,) in sql.find(_HOLDERS_GONE)]
    if gone:
        sql.do(_ORPHANED + _FIRE, gone)
        sql.do(_ORPHANED + _ORPHANED_BUSY, gone)


@dataclass(slots=True)
class Node:
    """This process, as one of those that share the jobs. The store's reader has the same."""

    id: str | None = None
    """None: it does not fire."""
    takes: bool = True
    """Whether it takes jobs; else it is about to leave, and only lives."""
    round: int = 0
    counts_at: int = 0
    """In which round it counts the jobs again, if nothing happens until then."""
    nodes: int = 0
    """How many took jobs, it among them, when they were counted last."""

    @property
    def taker(self) -> str | None:
        """Who holds the jobs that are made here."""
        return self.id if self.takes else None

    def join(self, sql: Connection, id_: str) -> None:
        """Be one of them, from the next sign of life on."""
        if self.id is None:
            sql.find(_LOCK, id_)
            self.id = id_

    def lock_anew(self, sql: Connection) -> None:
        """On another connection, as the one before is lost."""
        if self.id is not None:
            sql.find(_LOCK, self.id)

    def leave(self, sql: Connection) -> None:
        """Leave everything to the others, at once."""
        if self.id is not None:
            sql.do("DELETE FROM aurora_nodes WHERE id = %s", self.id)
            _free_orphaned(sql)

    def share(self, sql: Connection, *, takes: bool) -> Share:
        """A sign of life; bury who gives none; a fair share of the jobs."""
        if self.id is None:
            return Share()
        self.takes = takes
        ((since, is_new),) = sql.find(_ALIVE, self.id, takes)
        has_buried = bool(sql.find(_BURY, self.id))
        if is_new or has_buried:
            _free_orphaned(sql)
        gained, surplus = self._balance(sql) if takes else ([], 0)
        return Share(gained, surplus, bool(is_new or has_buried), str(since))

    def _balance(self, sql: Connection) -> tuple[list[str], int]:
        """What was taken, and how many more than its share there are."""
        self.round += 1
        busy = [job_id for (job_id,) in sql.find(_TAKE_BUSY, self.id)]
        ((some_are_free, nodes),) = sql.find(_NEWS)
        if not some_are_free and nodes == self.nodes and self.round < self.counts_at:
            return busy, 0
        ((all_, mine),) = sql.find(_COUNT, self.id)
        share = -(-all_ // nodes)
        surplus = mine - share if mine - share > share // _SLACK else 0
        self.nodes = nodes
        self.counts_at = self.round + (_COUNTED if surplus else max(_COUNTED, all_ // _MANY))
        if mine < share and some_are_free:
            taken = sql.find(_TAKE, self.id, min(share - mine, _TOGETHER))
            return [*busy, *(job_id for (job_id,) in taken)], 0
        return busy, surplus

    def concerns(self, sql: Connection, number: int) -> bool:
        """Whether, after that change, there was one of a job that no other node holds, or a job is there to take."""
        ((found,),) = sql.find(_CONCERNS, number, self.id)
        return bool(found)

    def release(self, sql: Connection, job_ids: Sequence[str] | None) -> list[str]:
        """Leave these jobs to others, as far as nothing of them runs or waits; or all of which nothing runs: which."""
        if job_ids is None:
            return [job_id for (job_id,) in sql.find(_RELEASE_ALL, self.id)]
        return [job_id for (job_id,) in sql.find(_RELEASE, self.id, list(job_ids))]

    def held_among(self, sql: Connection, job_ids: Sequence[str]) -> set[str]:
        """Those of the jobs that it holds."""
        rows = sql.find("SELECT id FROM aurora_jobs WHERE holder = %s AND id = ANY(%s::text[])", self.id, list(job_ids))
        return {job_id for (job_id,) in rows}
