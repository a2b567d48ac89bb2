"""The nodes: the processes that fire the jobs of one database beside each other, each those that it holds.

A node says every second that it lives, by the server's clock, and has a lock that goes with its connection. Gone is one
that has not said so for long, or, if its lock is free, for a few seconds: then its process is dead, and not only slow.
Only who was heard himself all that time may say so of others: while the server, or the way to it, was away, nobody was.

A job is held by one node at a time, and what it claims is refused where it does not hold the job any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aurora_scheduler.model import Job
from aurora_scheduler.ports import Share
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.news import IS_HEARD
from aurora_scheduler.stores.postgres.shares import FIRE, accept, balance, concerns, leave, look, refuse, take_busy
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
_FIRING = f"SELECT tags FROM aurora_nodes AS other WHERE NOT ({_GONE.format(since='pg_postmaster_start_time()')})"

#: A row that is inserted, and not updated, has no transaction that has deleted the one before.
_ALIVE = (
    "INSERT INTO aurora_nodes AS node (id, joined, since, seen, takes, tags) SELECT %s, now, now, now, %s, %s::text[]"
    " FROM clock_timestamp() AS now ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, takes = excluded.takes,"
    f" since = CASE WHEN excluded.seen - node.seen > '{_GAP} s' THEN excluded.seen ELSE node.since END"
    f" RETURNING joined::text, xmax::text = '0', {IS_HEARD}"
)
#: Both are made once, whatever the server knows of the table: it was told last when there were fewer nodes.
_BURY = (
    "WITH me AS MATERIALIZED (SELECT id, since FROM aurora_nodes WHERE id = %s)"
    " DELETE FROM aurora_nodes WHERE id = ANY(ARRAY(SELECT other.id FROM aurora_nodes AS other, me"
    f" WHERE other.id <> me.id AND ({_GONE.format(since='me.since')}) FOR UPDATE OF other SKIP LOCKED))"
    " RETURNING id"
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
#: How often jobs are counted, in rounds, and of how many it is one round more: to count them takes its time, and others
#: wait for it.
_COUNTED, _MANY = 5, 10_000


def firing(sql: Connection) -> list[frozenset[str]]:
    """Of each node that has given a sign of life lately the tags."""
    return [frozenset(tags) for (tags,) in sql.find(_FIRING)]


def _listens(sql: Connection) -> bool:
    """Whether somebody listens to what is written."""
    ((listens,),) = sql.find(f"SELECT {IS_HEARD}")
    return bool(listens)


def _free_orphaned(sql: Connection) -> None:
    gone = [holder for (holder,) in sql.find(_HOLDERS_GONE)]
    if gone:
        sql.do(_ORPHANED + FIRE, gone)
        sql.do(_ORPHANED + _ORPHANED_BUSY, gone)


@dataclass(slots=True)
class Node:
    """This process, as one of those that share the jobs. The store's reader has the same."""

    id: str | None = None
    """None: it does not fire."""
    tags: frozenset[str] = frozenset()
    takes: bool = True
    """Whether it takes jobs; else it is about to leave, and only lives."""
    round: int = 0
    counts_at: int = 0
    """In which round it counts the jobs again, if nothing happens until then."""
    others: tuple[int, int] = (0, 0)
    """How many took jobs, it among them, when they were counted last; how many callbacks somebody could not find."""
    is_heard: bool = True
    """Whether somebody may listen to what it writes."""
    backends: set[int] = field(default_factory=set)
    """The server's processes that it has written by."""

    def taker_of(self, job: Job) -> str | None:
        """Who holds a job that is made here; None: whoever takes it."""
        return self.id if self.takes and job.policies.is_for(self.tags) else None

    def join(self, sql: Connection, id_: str, tags: frozenset[str]) -> None:
        """Be one of them, from the next sign of life on."""
        if self.id is None:
            sql.find(_LOCK, id_)
            self.id, self.tags = id_, tags

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
        ((since, is_new, self.is_heard),) = sql.find(_ALIVE, self.id, takes, sorted(self.tags))
        has_buried = bool(sql.find(_BURY, self.id))
        if is_new or has_buried:
            _free_orphaned(sql)
        gained, surplus = self._balance(sql, self.id) if takes else ([], [])
        return Share(gained, surplus, bool(is_new or has_buried), str(since))

    def _balance(self, sql: Connection, id_: str) -> tuple[list[str], list[str]]:
        """What was taken, and what is too much."""
        self.round += 1
        busy = take_busy(sql, id_, self.tags)
        some_are_free, *others = look(sql, id_, self.tags)
        if not some_are_free and tuple(others) == self.others and self.round < self.counts_at:
            return busy, []
        count, taken, surplus = balance(sql, id_)
        self.others = others[0], others[1]
        self.counts_at = self.round + (_COUNTED if surplus else max(_COUNTED, count // _MANY))
        return [*busy, *taken], surplus

    def concerns(self, sql: Connection, number: int) -> bool:
        """Whether, after that change, there was one of a job that no other node holds, or a job is there to take.

        Or somebody has begun to listen to what it writes.
        """
        if self.id is None:
            return False
        return concerns(sql, self.id, self.tags, number) or (not self.is_heard and _listens(sql))

    def release(self, sql: Connection, job_ids: Sequence[str] | None) -> list[str]:
        """Leave these jobs to others, as far as nothing of them runs or waits; or all of which nothing runs: which."""
        return [] if self.id is None else leave(sql, self.id, job_ids)

    def refuse(self, sql: Connection, job: Job) -> list[str]:
        """Leave a job that cannot run here, and those like it, to who can call it; which: none where nobody can."""
        return [] if self.id is None else refuse(sql, self.id, self.tags, job)

    def accept(self, sql: Connection, job: Job) -> None:
        """What could not be called here now can."""
        if self.id is not None:
            accept(sql, self.id, job)

    def held_among(self, sql: Connection, job_ids: Sequence[str]) -> set[str]:
        """Those of the jobs that it holds."""
        rows = sql.find("SELECT id FROM aurora_jobs WHERE holder = %s AND id = ANY(%s::text[])", self.id, list(job_ids))
        return {job_id for (job_id,) in rows}
