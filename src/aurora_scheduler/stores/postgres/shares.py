"""A node's share of the jobs: what it may take, what it is to leave to others, and what it cannot fire at all.

Jobs that the same nodes may fire are of one kind, and of each kind a node has a fair share. A job that names a tag is
for nodes with that tag; one whose callback a node cannot find, which it notes, is for the others. Where nobody can find
it, somebody has the job all the same, to say so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from aurora_scheduler.model import Job
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.rows import OPEN_TEXTS, Row

__all__ = ["FIRE", "accept", "balance", "concerns", "leave", "look", "refuse", "take_busy"]

FIRE = "status IN ('active', 'unresolved')"
#: A job that does not fire is looked after as long as something of it waits or runs.
_ROW_OF_IT = (
    "EXISTS (SELECT 1 FROM aurora_executions AS row WHERE row.job_id = job.id AND row.generation = job.generation"
    " AND row.status IN ({}))"
)
_IS_BUSY = _ROW_OF_IT.format(OPEN_TEXTS)
#: From the few rows that are open to their jobs, and not the other way round.
_WITH_OPEN_ROWS = f"(SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS}))"
_RUNS = _ROW_OF_IT.format("'running', 'cancelling'")

_CALLBACK = (
    "{0}.module = job.callback_module AND {0}.function = job.callback_function"
    " AND {0}.file = coalesce(job.callback_file, '')"
)
#: Who cannot find the job's callback; NULL: nobody has said so.
_REFUSED = (
    " LEFT JOIN (SELECT module, function, file, array_agg(node ORDER BY node) AS nodes FROM aurora_refusals"
    f" GROUP BY 1, 2, 3) AS refused ON {_CALLBACK.format('refused')}"
)
_KINDS = (
    "SELECT job.node_tag, refused.nodes, count(*), count(*) FILTER (WHERE holder = %s)"
    f" FROM aurora_jobs AS job{_REFUSED} WHERE {FIRE} GROUP BY 1, 2"
)
_OF_KIND = "job.node_tag IS NOT DISTINCT FROM %s AND refused.nodes IS NOT DISTINCT FROM %s::text[]"
_MAY = (
    "(job.node_tag IS NULL OR job.node_tag = ANY(%s::text[]))"
    f" AND NOT EXISTS (SELECT 1 FROM aurora_refusals AS own WHERE own.node = %s AND {_CALLBACK.format('own')})"
)
_FREE = f"EXISTS (SELECT 1 FROM aurora_jobs AS job WHERE holder IS NULL AND {FIRE} AND {_MAY})"
_LOOK = f"SELECT {_FREE}, (SELECT count(*) FROM aurora_nodes WHERE takes), (SELECT count(*) FROM aurora_refusals)"
_CONCERNS = (
    "SELECT EXISTS (SELECT 1 FROM aurora_job_changes AS change WHERE number > %s AND NOT EXISTS"
    f" (SELECT 1 FROM aurora_jobs AS job WHERE job.id = change.job_id AND job.holder <> %s)) OR {_FREE}"
)
_TAKE = (
    "UPDATE aurora_jobs AS job SET holder = %s FROM ("
    f" SELECT job.id FROM aurora_jobs AS job{_REFUSED} WHERE holder IS NULL AND {FIRE} AND {_OF_KIND}"
    " ORDER BY next_fire LIMIT %s FOR UPDATE OF job SKIP LOCKED"
    ") AS free WHERE job.id = free.id RETURNING job.id"
)
_TAKE_BUSY = (
    f"UPDATE aurora_jobs AS job SET holder = %s WHERE holder IS NULL AND id IN {_WITH_OPEN_ROWS}"
    f" AND {_IS_BUSY} AND {_MAY} RETURNING id"
)
_MINE = f"SELECT job.id FROM aurora_jobs AS job{_REFUSED} WHERE holder = %s AND {FIRE} AND {_OF_KIND}"
_LAST_DUE = f"{_MINE} AND NOT {_IS_BUSY} ORDER BY next_fire DESC NULLS FIRST LIMIT %s"
#: They can be left when their callbacks have ended, which may be soon.
_BUSY = f"{_MINE} AND job.id IN {_WITH_OPEN_ROWS} LIMIT %s"
_LEAVE = f"UPDATE aurora_jobs AS job SET holder = NULL WHERE holder = %s AND NOT {_RUNS} AND {{}} RETURNING id"
#: A node that is not there any more, though it does not know, has nothing to say.
_REFUSE = "INSERT INTO aurora_refusals SELECT id, %s, %s, %s FROM aurora_nodes WHERE id = %s ON CONFLICT DO NOTHING"
_SAME_CALLBACK = "(callback_module, callback_function, coalesce(callback_file, '')) = (%s, %s, %s)"

#: So many jobs are taken or left at once: others shall write in between.
_TOGETHER = 2000
#: One in so many more than its share a node may have.
_SLACK = 20


class Kind(NamedTuple):
    """Jobs that the same nodes may fire, and how many there are."""

    tag: str | None
    refused: list[str] | None
    """Who cannot find their callback."""
    size: int
    mine: int

    def able(self, nodes: Mapping[str, Collection[str]]) -> list[str]:
        """Which of these nodes, each with its tags, can fire them."""
        return [node for node in self._tagged(nodes) if node not in (self.refused or ())]

    def share(self, node: str, nodes: Mapping[str, Collection[str]]) -> int:
        """How many of them the node is to have."""
        takers = self.able(nodes) or self._tagged(nodes)
        return -(-self.size // len(takers)) if node in takers else 0

    def _tagged(self, nodes: Mapping[str, Collection[str]]) -> list[str]:
        return [node for node, tags in nodes.items() if self.tag is None or self.tag in tags]


def look(sql: Connection, node: str, tags: Collection[str]) -> tuple[bool, int, int]:
    """Whether there are jobs that nobody holds, and this node may; how many nodes take jobs, and what they refuse."""
    ((is_free, takers, refusals),) = sql.find(_LOOK, list(tags), node)
    return is_free, takers, refusals


def concerns(sql: Connection, node: str, tags: Collection[str], number: int) -> bool:
    """Whether, after that change, there was one of a job that no other node holds, or a job is there to take."""
    ((found,),) = sql.find(_CONCERNS, number, node, list(tags), node)
    return bool(found)


def take_busy(sql: Connection, node: str, tags: Collection[str]) -> list[str]:
    """Take those that nobody holds, and something of them waits or runs; which."""
    return _ids(sql.find(_TAKE_BUSY, node, list(tags), node))


def balance(sql: Connection, node: str) -> tuple[int, list[str], list[str]]:
    """How many jobs there are; what of each kind was missing, and is taken, as it comes due; and what is too much.

    Of that first what is idle; what is not can be left in a moment in which it is.
    """
    nodes, count = _nodes(sql), 0
    taken: list[str] = []
    surplus: list[str] = []
    for kind in map(Kind._make, sql.find(_KINDS, node)):
        share = kind.share(node, nodes)
        count += kind.size
        if kind.mine < share:
            most = min(share - kind.mine, _TOGETHER)
            taken += _ids(sql.find(_TAKE, node, kind.tag, kind.refused, most))
        elif kind.mine - share > share // _SLACK:
            most = min(kind.mine - share, _TOGETHER)
            idle = _ids(sql.find(_LAST_DUE, node, kind.tag, kind.refused, most))
            busy = _ids(sql.find(_BUSY, node, kind.tag, kind.refused, most - len(idle))) if len(idle) < most else []
            surplus += [*idle, *busy]
    return count, taken, surplus


def leave(sql: Connection, node: str, job_ids: Sequence[str] | None) -> list[str]:
    """Leave these jobs to others, as far as nothing of them runs or waits; or all of which nothing runs: which."""
    if job_ids is None:
        return _ids(sql.find(_LEAVE.format("true"), node))
    return _ids(sql.find(_LEAVE.format(f"id = ANY(%s::text[]) AND NOT {_IS_BUSY}"), node, list(job_ids)))


def refuse(sql: Connection, node: str, tags: Collection[str], job: Job) -> list[str]:
    """Note that a job cannot run here, and leave it to those who can call it, with all that are like it; which.

    None: there is nobody else. One that is held by others already is among them.
    """
    tag = job.node_tag
    if not job.policies.is_for(tags):
        left = _ids(sql.find(_LEAVE.format("node_tag = %s"), node, tag))
    else:
        callback = _key(job)
        sql.do(_REFUSE, *callback, node)
        refused = sql.find("SELECT node FROM aurora_refusals WHERE (module, function, file) = (%s, %s, %s)", *callback)
        if not Kind(tag, _ids(refused), 0, 0).able(_nodes(sql)):
            return []
        alike = f"{_SAME_CALLBACK} AND node_tag IS NOT DISTINCT FROM %s"
        left = _ids(sql.find(_LEAVE.format(alike), node, *callback, tag))
    return left or _ids(
        sql.find("SELECT id FROM aurora_jobs WHERE id = %s AND holder IS DISTINCT FROM %s", job.id, node)
    )


def accept(sql: Connection, node: str, job: Job) -> None:
    """Its callback was found here after all."""
    statement = "DELETE FROM aurora_refusals WHERE node = %s AND (module, function, file) = (%s, %s, %s)"
    sql.do(statement, node, *_key(job))


def _nodes(sql: Connection) -> dict[str, Collection[str]]:
    return dict(sql.find("SELECT id, tags FROM aurora_nodes WHERE takes"))


def _key(job: Job) -> tuple[str, str, str]:
    return job.callback.module, job.callback.qualname, job.callback.file or ""


def _ids(rows: Sequence[Row]) -> list[str]:
    return [row[0] for row in rows]
