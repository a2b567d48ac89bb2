"""What the transactions of a PostgreSQL database cost, and how far that goes: in firings a second, and in nodes.

Writing transactions are made one after the other over all nodes: for how long each holds the lock is measured, and
added up. From `tests`: `python -m benchmarks.capacity` starts a server of its own and prints tables; `--write` says
where to put them. It takes two or three minutes, most of them to store a million jobs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import (
    CallbackName,
    Change,
    ChangeKind,
    Commit,
    Execution,
    ExecutionStatus,
    Job,
    Outcome,
    ScheduleType,
)
from aurora_scheduler.ports import Notes
from aurora_scheduler.rules import Claim, decide, settle
from aurora_scheduler.stores.postgres import PostgresStore
from aurora_scheduler.stores.postgres.nodes import _COUNTED, _MANY, Node
from aurora_scheduler.stores.rows import JOB_COLUMNS
from support.cluster import Server

__all__ = ["main"]

#: So many firings, written together, and how often that is measured.
GROUPS = {1: 80, 10: 40, 100: 20, 1000: 6}
_ROUNDS = 4
JOBS = (1_000, 100_000, 1_000_000)
NODES = (1, 100, 1_000)
#: So many jobs are stored where nothing else is said.
BESIDE = 100_000
#: As often as a statement is said before the server keeps its plan, and how often something else is measured.
_WARM, _TIMES, _SELDOM = 6, 100, 7
_DAY = 86_400 * SECOND
_OPTIONS = "-c shared_preload_libraries=pg_stat_statements -c max_locks_per_transaction=256"
#: What the server took for statements so far, without waiting for the lock, and without ours that only look.
_TAKEN = (
    "SELECT coalesce(sum(total_exec_time), 0) FROM pg_stat_statements"
    " WHERE query NOT LIKE '%advisory%' AND query NOT LIKE '%pg_stat_statements%'"
)


class Cost(NamedTuple):
    """Of a transaction, in ms."""

    held: float
    """For how long others had to wait for it: from when it had the lock until its COMMIT was answered."""
    commit: float
    """Its COMMIT; 0: that is no message of its own."""
    server: float
    """What the server took for its statements, the COMMIT not counted."""


def _every(jobs: int) -> int:
    """In one of how many signs of life a node counts so many jobs."""
    return max(_COUNTED, jobs // _MANY)


def _usual(costs: Sequence[Cost]) -> Cost:
    """What a quarter of them did not exceed: others may be at work on the machine, and on its disk above all."""
    return Cost(*(statistics.quantiles(column, n=4)[0] for column in zip(*costs, strict=True)))


class Database:
    """A database, and the node that writes to it."""

    def __init__(self, url: str) -> None:
        self._beside = psycopg.connect(url, autocommit=True)
        self._say("CREATE EXTENSION pg_stat_statements")
        self._clock = SystemClock()
        self._store = PostgresStore(url)
        self._store.open()
        self._store.own("me")
        self._reader = self._store.reader()
        self._reader.open()
        self._commit = 0.0
        self._message = 0.0
        self._watch_commits()
        self._jobs = 0
        self._names = 0
        self._once(self._store.share)

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()
        self._store.close()
        self._beside.close()

    def _watch_commits(self) -> None:
        connection: Any = self._store._sql
        commit = connection.commit

        def timed(*statements: str) -> None:
            begun = time.perf_counter()
            commit(*statements)
            self._commit = time.perf_counter() - begun

        connection.commit = timed
        execute = connection.sql.execute

        def timed_message(*said: object, **how: object) -> object:
            begun = time.perf_counter()
            try:
                return execute(*said, **how)
            finally:
                self._message = time.perf_counter() - begun

        connection.sql.execute = timed_message

    def _say(self, statement: str, *values: object) -> list[Any]:
        """Something that is not measured."""
        cursor = self._beside.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def _once(self, work: Callable[[], object]) -> Cost:
        before = self._say(_TAKEN)[0][0]
        with self._store.transaction():
            begun = time.perf_counter()
            work()
        held = time.perf_counter() - begun
        self._store.notes = Notes()
        return Cost(held * 1e3, self._commit * 1e3, self._say(_TAKEN)[0][0] - before)

    def _often(self, work: Callable[[], object], times: int = _TIMES) -> Cost:
        return _usual([self._once(work) for _ in range(times + _WARM)][_WARM:])

    # -- what is in it ------------------------------------------------------------------------------------------

    def fill(self, count: int) -> None:
        """Have so many jobs in it, which this node holds."""
        if not self._jobs:
            self._once(lambda: self._store.insert(self._job("job 0")))
            self._jobs = 1
        made = {"id": "'job ' || n", "name": "'job ' || n"}
        values = ", ".join(made.get(name.strip(), name) for name in JOB_COLUMNS.split(","))
        self._say(
            f"INSERT INTO aurora_jobs ({JOB_COLUMNS}, holder) SELECT {values}, holder"
            f" FROM aurora_jobs, generate_series({self._jobs}, {count - 1}) AS n WHERE id = 'job 0'"
        )
        self._jobs = count
        self._rest()

    def _rest(self) -> None:
        """What the server does by itself, some time after much was written."""
        self._say("VACUUM ANALYZE")
        self._say("CHECKPOINT")

    def _job(self, job_id: str) -> Job:
        now = self._clock.now()
        return Job(
            id=job_id, name=job_id, schedule_type=ScheduleType.RELATIVE, schedule_value="every 1 day", timezone="UTC",
            callback=CallbackName("shop", "tidy"), callback_args={"number": 1}, anchor=now, created=now, updated=now,
            next_fire=now + _DAY,
        )  # fmt: skip

    def _mine(self, count: int) -> list[str]:
        rows = self._say("SELECT id FROM aurora_jobs WHERE holder = 'me' ORDER BY number LIMIT %s", count)
        return [job_id for (job_id,) in rows]

    def join(self, count: int) -> list[Node]:
        """So many nodes that live, this one among them, each with its lock and its share of the jobs."""
        names = [f"node {number}" for number in range(1, count)]
        nodes = [Node() for _ in names]
        for node, name in zip(nodes, names, strict=True):
            node.join(self._store._sql, name, frozenset())
        self._say(
            "UPDATE aurora_jobs SET holder = (array['me'] || %s::text[])[1 + number %% %s] WHERE number %% %s > 0",
            names, count, count,
        )  # fmt: skip
        self._rest()
        self._say(
            "INSERT INTO aurora_nodes SELECT name, now(), now(), now(), true, '{}' FROM unnest(%s::text[]) name", names
        )
        return [self._store._node, *nodes]

    def part(self) -> None:
        """This node is alone again, and has all jobs."""
        self._say("DELETE FROM aurora_nodes WHERE id <> 'me'")
        self._say("UPDATE aurora_jobs SET holder = 'me' WHERE holder IS DISTINCT FROM 'me'")
        self._rest()

    # -- what is measured ---------------------------------------------------------------------------------------

    def firings(self, group: int, times: int) -> tuple[list[Cost], list[Cost]]:
        """So many firings that are claimed together, and end together."""
        found = self._store.snapshots_of(self._mine(group))
        jobs = [each.job for each in found if each is not None]
        claimed, ended = list[Cost](), list[Cost]()
        for _ in range(times + _WARM):
            claims = [self._claim(job) for job in jobs]
            claimed.append(self._decided([claim.commit for claim in claims]))
            ends = [self._end(claim.commit.job, claim.execution) for claim in claims]
            ended.append(self._decided(ends))
            jobs = [end.job for end in ends if end.job is not None]
        return claimed[_WARM:], ended[_WARM:]

    def _decided(self, commits: Sequence[Commit]) -> Cost:
        before = self._say(_TAKEN)[0][0]
        self._store.commit_alone(commits)
        self._store.notes = Notes()
        return Cost(self._message * 1e3, 0.0, self._say(_TAKEN)[0][0] - before)

    def _claim(self, job: Job) -> Claim:
        assert job.next_due is not None
        step = decide(job, (), (), job.next_due, owner="me", new_id=self._clock.new_id)
        assert isinstance(step, Claim)
        return step

    def _end(self, job: Job | None, execution: Execution) -> Commit:
        assert execution.started is not None
        outcome = Outcome(status=ExecutionStatus.SUCCEEDED, result={"success": True})
        return settle(job, (), 0, execution, outcome, execution.started + 1000, new_id=self._clock.new_id)

    def creating(self, count: int) -> Cost:
        """So many jobs, by one call; they are gone afterwards."""

        def create() -> None:
            jobs = [self._job(f"new {self._names + number}") for number in range(count)]
            self._names += count
            self._store.heard_of([job.id for job in jobs])
            created = [
                Change(job_id=job.id, generation=1, at=job.created, kind=ChangeKind.CREATED, detail=None)
                for job in jobs
            ]
            self._store.insert_all(jobs, created)

        cost = self._often(create, 10)
        self._say("DELETE FROM aurora_jobs WHERE id LIKE 'new %'")
        self._rest()
        return cost

    def reading(self, count: int) -> float:
        """What a node does outside of the lock when so many of its jobs were changed, in ms."""
        took = list[float]()
        changed = self._mine(count)
        for _ in range(_TIMES // 2):
            begun = time.perf_counter()
            found = self._reader.held(changed)
            took.append((time.perf_counter() - begun) * 1e3)
            assert None not in found
        return statistics.median(took)

    def signs(self) -> tuple[Cost, Cost]:
        """A sign of life that looks whether jobs are free, and one that counts all of them."""
        return self._sign(_TIMES, counts=False), self._sign(_SELDOM, counts=True)

    def _sign(self, times: int, *, counts: bool) -> Cost:
        last = self._store.last_change()
        node = self._store._node

        def give() -> None:
            node.counts_at = node.round + (1 if counts else 2)
            self._store.share()
            self._store.changes_since(last)

        return self._often(give, times)

    def turn(self, nodes: Sequence[Node]) -> float:
        """How long the signs of life of all nodes take, one after the other, in seconds."""
        sql = self._store._sql
        for number, node in enumerate(nodes):
            node.others = (len(nodes), 0)
            node.counts_at = node.round + 1 + number % _every(self._jobs)
        begun = time.perf_counter()
        for node in nodes:
            with self._store.transaction():
                share = node.share(sql, takes=True)
            assert not share.someone_died
        return time.perf_counter() - begun

    def taking(self) -> tuple[Cost, int]:
        """As many jobs as are taken at once, of all, which nobody holds; and how many that are."""
        self._say("UPDATE aurora_jobs SET holder = NULL")
        self._rest()
        cost = _usual([self._once(self._store.share) for _ in range(_SELDOM)])
        ((taken,),) = self._say("SELECT count(*) FROM aurora_jobs WHERE holder IS NOT NULL")
        return cost, taken // _SELDOM

    def joining(self) -> Cost:
        """The first sign of life of a node."""
        return _usual([self._once(self._first_sign) for _ in range(_SELDOM)])

    def _first_sign(self) -> None:
        self._store._sql.do("DELETE FROM aurora_nodes WHERE id = 'me'")
        self._store.share(takes=False)

    def burying(self, count: int) -> Cost:
        """A node that has died, with so many jobs."""
        costs = list[Cost]()
        for number in range(_SELDOM):
            self._say(
                "INSERT INTO aurora_nodes SELECT 'dead', joined, joined, joined, true, '{}' FROM aurora_nodes LIMIT 1"
            )
            self._say(
                "UPDATE aurora_jobs SET holder = 'dead' WHERE id = ANY(%s)",
                [f"job {number * count + each}" for each in range(count)],
            )
            self._say(
                "UPDATE aurora_nodes SET seen = CASE id WHEN 'me' THEN now() ELSE now() - interval '1 minute' END,"
                " since = now() - interval '1 hour'"
            )
            costs.append(self._once(self._bury))
        return _usual(costs)

    def pruning(self) -> Cost:
        """A look for old history, where there is none yet; all jobs are over, and each has two lines of history."""
        self._say(
            "INSERT INTO aurora_job_changes (job_id, generation, at, kind)"
            " SELECT id, 1, created, kind FROM aurora_jobs, (VALUES ('created'), ('finished')) AS told (kind)"
        )
        self._say("UPDATE aurora_jobs SET status = 'finished'")
        self._rest()
        return _usual([self._once(lambda: self._store.prune_before(SECOND, 200)) for _ in range(_SELDOM)])

    def _bury(self) -> None:
        assert self._store.share(takes=False).someone_died


class Costs(NamedTuple):
    """All that the model needs."""

    firings: dict[int, tuple[Cost, Cost]]
    by_jobs: dict[int, tuple[Cost, Cost]]
    by_nodes: dict[int, tuple[Cost, Cost]]

    def sign(self, jobs: int, nodes: int) -> float:
        """For how long, in ms, a node has the lock every second, to say that it lives."""
        few, many = (NODES[0], NODES[1]) if nodes <= NODES[1] else (NODES[1], NODES[2])
        with_few, with_many = (self.by_nodes[each][0].held for each in (few, many))
        plain = with_few + (with_many - with_few) * (nodes - few) / (many - few)
        less, more = self.by_jobs[jobs]
        return plain + max(0.0, more.held - less.held) / _every(jobs)

    def rate(self, group: int, nodes: int) -> float:
        """Firings a second, at most, over all nodes, if so many are written together."""
        left = 1 - nodes * self.sign(BESIDE, nodes) / 1e3
        return max(0.0, left) * group / sum(each.held for each in self.firings[group]) * 1e3


def _row(told: str, cost: Cost, count: int = 1) -> str:
    """`count` is how many firings, or jobs, the transaction is about."""
    commit = f"{cost.commit:,.2f}" if cost.commit else ""
    return f"| {told} | {cost.held:,.2f} | {commit} | {cost.server:,.2f} | {cost.held / count * 1e3:,.0f} |"


def _measured(database: Database) -> tuple[list[str], Costs]:
    rows = list[str]()
    costs = Costs({}, {}, {})
    for jobs in JOBS:
        database.fill(jobs)
        plain, counting = costs.by_jobs[jobs] = database.signs()
        rows.append(_row(f"a sign of life, {jobs:,} jobs", plain))
        rows.append(_row(f"the same, one in {_every(jobs)}: it counts them", counting))
        if jobs == BESIDE:
            rows += _measured_beside(database, costs)
    some = JOBS[-1] // NODES[-1]
    rows.append(_row(f"the first sign of life of a node, {JOBS[-1]:,} jobs", database.joining()))
    rows.append(_row(f"a dead node is buried, which held {some:,} of {JOBS[-1]:,} jobs", database.burying(some)))
    taking, taken = database.taking()
    rows.append(_row(f"{taken:,} jobs are taken, of {JOBS[-1]:,} that nobody holds", taking, taken))
    rows.append(_row(f"a look for old history, of {JOBS[-1]:,} jobs that are over", database.pruning()))
    return rows, costs


def _measured_beside(database: Database, costs: Costs) -> Iterator[str]:
    claims: dict[int, list[Cost]] = {group: [] for group in GROUPS}
    ends: dict[int, list[Cost]] = {group: [] for group in GROUPS}
    for _ in range(_ROUNDS):
        for group, times in GROUPS.items():
            claimed, ended = database.firings(group, times)
            claims[group] += claimed
            ends[group] += ended
    for group in GROUPS:
        claim, end = costs.firings[group] = _usual(claims[group]), _usual(ends[group])
        told = f"{group:,} firings" if group > 1 else "a firing"
        yield _row(f"the claim of {told}", claim, group)
        yield _row(f"the end of {told}", end, group)
    for count in (1, 1000):
        yield _row(f"{count:,} jobs are made" if count > 1 else "a job is made", database.creating(count), count)
    for count in (1, 1000):
        told, them = ("a changed job is", "it") if count == 1 else (f"{count:,} changed jobs are", "them")
        took = database.reading(count)
        yield f"| {told} read by the node that holds {them} (and takes {took:,.1f} ms) | 0 | | | |"
    for count in NODES:
        nodes = database.join(count)
        costs.by_nodes[count] = database.signs()
        if count > 1:
            yield _row(f"a sign of life among {count:,} nodes", costs.by_nodes[count][0])
            claimed, _ = database.firings(1, GROUPS[1])
            yield _row(f"the claim of a firing among {count:,} nodes", _usual(claimed))
            took = database.turn(nodes)
            each = took / count * 1e6
            yield f"| one sign of life of each of {count:,} nodes, in turn | {took * 1e3:,.0f} | | | {each:,.0f} |"
        database.part()
    taking, taken = database.taking()
    yield _row(f"{taken:,} jobs are taken, of {BESIDE:,} that nobody holds", taking, taken)
    database.part()


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows]) + "\n"


def _rates(costs: Costs) -> str:
    counts = (1, 10, 100)
    rows = [f"| {group:,} | {' | '.join(f'{costs.rate(group, nodes):,.0f}' for nodes in counts)} |" for group in GROUPS]
    return _table(
        ["firings written together", *(f"{nodes:,} nodes" if nodes > 1 else "1 node" for nodes in counts)], rows
    )


def _shares(costs: Costs) -> str:
    def told(jobs: int, nodes: int) -> str:
        return f"{nodes * costs.sign(jobs, nodes) / 10:,.1f} %"

    rows = [f"| {nodes:,} | {' | '.join(told(jobs, nodes) for jobs in JOBS)} |" for nodes in (10, 100, 1_000)]
    most = [str(sum(nodes * costs.sign(jobs, nodes) < 1e3 for nodes in range(1, NODES[-1]))) for jobs in JOBS]
    rows.append(f"| all of it, with so many nodes | {' | '.join(most)} |")
    return _table(["nodes", *(f"{jobs:,} jobs" for jobs in JOBS)], rows)


def main() -> str:
    """The tables."""
    server = Server(durable=True, options=_OPTIONS)
    try:
        database = Database(server.url)
        rows, costs = _measured(database)
        database.close()
    finally:
        server.close()
    head = ["transaction", "has the lock, ms", "of it COMMIT, ms", "statements on the server, ms", "for one, µs"]
    parts = [
        f"For how long a transaction has the lock, if it is one of the faster quarter; among {BESIDE:,} jobs:\n",
        _table(head, rows),
        f"Firings a second, at most, beside {BESIDE:,} jobs, by how many are written together:\n",
        _rates(costs),
        "How much of the lock's time goes for signs of life, and with how many nodes all of it:\n",
        _shares(costs),
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a file for the tables")
    asked = parser.parse_args()
    tables = main()
    print(tables)
    if asked.write is not None:
        asked.write.write_text(tables)
