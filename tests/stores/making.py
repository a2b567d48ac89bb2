"""What the stores' tests are made of: jobs and executions by hand and by Hypothesis, and a store for each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import aurora_scheduler
from aurora_scheduler.clock import new_id
from aurora_scheduler.instants import FIRST, LAST
from aurora_scheduler.model import (
    CallbackName,
    Commit,
    Execution,
    ExecutionStatus,
    Job,
    JobStatus,
    Policies,
    ScheduleType,
    Trigger,
)
from aurora_scheduler.ports import Snapshot, Store
from aurora_scheduler.stores import SqliteStore
from aurora_scheduler.stores.postgres import PostgresStore
from support.cluster import database_url

#: Some instant, in 2033: the tests' present.
NOW = 2_000_000_000_000_000
SECOND = 1_000_000
OWNER = "the-owner"


def snapshots(store: Store, most: int = 1000) -> list[Snapshot]:
    """What needs looking after, as it stands."""
    return [each for each in store.snapshots_of(store.nearest(most).job_ids) if each is not None]


# By hand ----------------------------------------------------------------------------------------------------------


def make_job(job_id: str = "nightly", **fields: Any) -> Job:
    """A job about which nothing is special but what the test says."""
    common: dict[str, Any] = {
        "name": "Nightly",
        "schedule_type": ScheduleType.RELATIVE,
        "schedule_value": "every 1 hour",
        "callback": CallbackName("my_callbacks", "clean_up"),
        "callback_args": {},
        "timezone": "Europe/Berlin",
        "anchor": NOW,
        "created": NOW,
        "updated": NOW,
        "next_fire": NOW + 3600 * SECOND,
    }
    return Job(id=job_id, **{**common, **fields})


def make_execution(number: int = 1, job_id: str = "nightly", **fields: Any) -> Execution:
    """The execution made `number` seconds after `NOW`, for that second. Where it is final it has an end."""
    instant = NOW + number * SECOND
    common: dict[str, Any] = {
        "id": new_id(instant, number),
        "generation": 1,
        "job_name": "Nightly",
        "timezone": "Europe/Berlin",
        "scheduled": instant,
        "due": fields.get("scheduled", instant),
        "last_scheduled": fields.get("scheduled", instant),
        "status": ExecutionStatus.WAITING,
    }
    row = {**common, **fields}
    if row["status"] in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING):
        row = {"owner": OWNER, "started": row["due"], **row}
    elif row["status"].is_final:
        row = {"finished": row["due"], **row}
    return Execution(job_id=job_id, **row)


def add(store: Store, *rows: Execution) -> None:
    """Write rows, as a decision that concerns no job's state, in a transaction of its own."""
    with store.transaction():
        store.commit(Commit(job=None, new=rows))


def insert(store: Store, *jobs: Job) -> None:
    """Add jobs in a transaction of its own."""
    with store.transaction():
        for job in jobs:
            store.insert(job)


class Undo(Exception):
    """Raised to leave a transaction, or a savepoint, as if it had never been."""


@contextmanager
def undone(block: AbstractContextManager[None]) -> Iterator[None]:
    """A transaction or savepoint that ends with an error, so that nothing of it stays."""
    with suppress(Undo), block:
        yield
        raise Undo


# Stores -----------------------------------------------------------------------------------------------------------

#: Every kind of store, and how to make one in an empty directory. The contract holds for each.
STORES: dict[str, Callable[[Path], Store]] = {
    "an SQLite file": lambda directory: SqliteStore(str(directory / "jobs.db")),
    "SQLite in memory": lambda directory: SqliteStore(":memory:"),
    "PostgreSQL": lambda directory: PostgresStore(database_url()),
}


def program(source: str, *arguments: object) -> list[str]:
    """The command line of a Python process that has this package and these helpers."""
    return [sys.executable, "-W", "error", "-c", source, *map(str, arguments)]


def surroundings() -> dict[str, str]:
    """The environment of such a process."""
    paths = [Path(aurora_scheduler.__file__).parents[1], Path(__file__).parents[1]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


@contextmanager
def running(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Such a process, with its pipes; it is dead when the block is left, however it is left."""
    process = subprocess.Popen(
        program(source, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(source: str, *arguments: object, measured: bool = True) -> str:
    """Run such a process to its end; what it printed. Where it forks beside busy threads it cannot be `measured`.

    For coverage holds a lock of its own at every call, which a forked child has then for ever.
    """
    env = surroundings()
    if not measured:
        env = {name: value for name, value in env.items() if not name.startswith("COVERAGE_PROCESS_")}
    done = subprocess.run(
        program(source, *arguments), capture_output=True, text=True, env=env, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def said(process: subprocess.Popen[str]) -> str:
    """The next line the process prints; where it dies instead, its last words."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.strip()


# By Hypothesis ----------------------------------------------------------------------------------------------------

#: Any text that UTF-8 can say: control characters, NUL and all planes, but no half of a pair.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
#: What a scheduler writes: instants that a calendar has, and counts that nothing ever reaches. The rest is damage.
integers = st.integers(FIRST, LAST)
counts = st.integers(0, 2**53)
durations = st.integers(0, LAST)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(texts, json_values, max_size=4)

policies = st.builds(
    Policies,
    max_retries=counts,
    retry_delay=durations,
    retry_backoff=st.floats(1, 1000),
    max_retry_delay=durations,
    retry_jitter=durations,
    on_exhausted=st.sampled_from(["deactivate", "continue"]),
    starts=st.none() | integers,
    ends=st.none() | integers,
    max_runs=st.none() | counts,
    misfire_grace=durations,
    max_instances=counts,
    timeout=st.none() | durations,
    jitter=durations,
    runner=st.sampled_from(["auto", "thread", "trio", "app"]),
    on_failure=st.none() | st.sampled_from(["shop:tell", "shop.jobs:Desk.tell", "__main__:tell:/srv/shop: old/run.py"]),
    ping=st.none() | st.just("https://example.org:8080/token?rid=1"),
    node_tag=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True),
)

#: `version` leaves room for the version before and the one after.
jobs = st.builds(
    Job,
    id=texts,
    name=texts,
    schedule_type=st.sampled_from(ScheduleType),
    schedule_value=texts,
    callback=st.builds(CallbackName, texts, texts, st.none() | texts),
    callback_args=mappings,
    timezone=texts,
    policies=policies,
    tags=st.lists(texts, max_size=4).map(tuple),
    anchor=integers,
    created=integers,
    updated=integers,
    generation=st.integers(1, 2**53),
    version=st.integers(1, 2**53 - 1),
    status=st.sampled_from(JobStatus),
    status_reason=st.none() | texts,
    next_fire=st.none() | integers,
    zone_data=st.none() | texts,
    next_wall=st.none() | integers,
    runs=counts,
    retry_count=counts,
    last_run=st.none() | integers,
    last_run_result=st.none() | mappings,
)

executions = st.builds(
    Execution,
    id=texts,
    job_id=texts,
    generation=counts,
    job_name=texts,
    timezone=texts,
    scheduled=integers,
    last_scheduled=integers,
    count=counts,
    attempt=counts,
    trigger=st.sampled_from(Trigger),
    status=st.sampled_from(ExecutionStatus),
    reason=st.none() | texts,
    due=integers,
    started=st.none() | integers,
    finished=st.none() | integers,
    result=st.none() | mappings,
    error=st.none() | texts,
    traceback=st.none() | texts,
    owner=st.none() | texts,
)
