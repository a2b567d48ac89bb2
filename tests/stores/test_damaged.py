"""Rows that no release has written: one of them is one job's trouble, or one line's, and nothing else's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler.errors import StoreCorruptError
from aurora_scheduler.model import Commit, ExecutionStatus, JobStatus
from aurora_scheduler.stores import SqliteStore
from faults.damage import lawless
from stores.making import OWNER, add, insert, make_execution, make_job, snapshots

BROKEN_TEXT = b"caf\xe9"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two jobs, each with an attempt that waits and one that is over."""
    path = tmp_path / "jobs.db"
    store = SqliteStore(str(path))
    store.open()
    insert(store, make_job("bad", callback_args={"to": "Ada"}, tags=("nightly",)), make_job("good", tags=("nightly",)))
    for number, job_id in enumerate(("bad", "good")):
        add(store, make_execution(number, job_id=job_id, status=ExecutionStatus.FAILED, error="no"))
        add(store, make_execution(10 + number, job_id=job_id, attempt=2))
        add(store, make_execution(20 + number, job_id=job_id, status=ExecutionStatus.RUNNING, owner="a dead owner"))
    store.close()
    return path


@contextmanager
def opened(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(str(path))
    store.open()
    yield store
    store.close()


def spoil(path: Path, table: str, column: str, value: Any, where: str) -> None:
    new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    with lawless(path, table) as sql:
        sql.execute(f'UPDATE {table} SET "{column}" = {new} WHERE {where}', (value,))


DEFINITION = {
    "callback_args": "{",
    "policies": '{"max_retries": "many"}',
    "tags": "nightly",
    "schedule_type": "monthly",
    "schedule_value": BROKEN_TEXT,
    "timezone": None,
    "anchor": "then",
    "status": "idle",
}
STATE = {
    "next_fire": "soon",
    "runs": None,
    "retry_count": -1,
    "last_run": 2**62,
    "last_run_result": "[]",
    "next_wall": 1.5,
}


@pytest.mark.parametrize(("column", "value"), [*DEFINITION.items(), *STATE.items()])
def test_a_damaged_job_is_unresolved_and_says_what_is_wrong_with_it(path, column, value):
    spoil(path, "aurora_jobs", column, value, "id = 'bad'")
    with opened(path) as store:
        bad, good = store.jobs()
        assert (bad.id, bad.name, bad.status) == ("bad", "Nightly", JobStatus.UNRESOLVED)
        assert column in bad.status_reason
        assert "damaged" in bad.status_reason
        assert good == make_job("good", tags=("nightly",))
        assert store.job("bad") == bad
        assert [each.job.id for each in snapshots(store) if each.job.id == "good"] == ["good"]
        assert [job.id for job in store.jobs(tag="nightly")][-1] == "good"


@pytest.mark.parametrize(("column", "value"), DEFINITION.items())
def test_what_stands_for_a_damaged_definition_is_never_run_and_never_written(path, column, value):
    spoil(path, "aurora_jobs", column, value, "id = 'bad'")
    with opened(path) as store:
        job = store.job("bad")
        assert "damaged" in job.callback.module, "nobody finds it, so nobody calls it"
        with store.transaction(), pytest.raises(StoreCorruptError, match="'bad' cannot be edited"):
            store.replace(job)
        with store.transaction():
            store.remove(job)
        assert store.job("bad") is None


@pytest.mark.parametrize(("column", "value"), STATE.items())
def test_a_damaged_state_is_mended_by_the_next_that_is_written(path, column, value):
    spoil(path, "aurora_jobs", column, value, "id = 'bad'")
    with opened(path) as store:
        job = store.job("bad")
        assert job.callback == make_job().callback
        assert job is not None
        with store.transaction():
            store.commit(Commit(job=replace(job, version=job.version + 1, status=JobStatus.PAUSED, status_reason=None)))
        mended = store.job("bad")
        assert (mended.status, mended.status_reason, mended.callback_args) == (JobStatus.PAUSED, None, {"to": "Ada"})


def test_a_job_that_a_person_has_paused_stays_so(path):
    spoil(path, "aurora_jobs", "status", "paused", "id = 'bad'")
    spoil(path, "aurora_jobs", "policies", "{", "id = 'bad'")
    with opened(path) as store:
        assert store.job("bad").status is JobStatus.PAUSED
        assert "policies" in store.job("bad").status_reason


@pytest.mark.parametrize(("column", "value"), [("generation", "first"), ("version", None), ("id", BROKEN_TEXT)])
def test_a_job_of_which_nobody_can_say_which_it_is_is_passed_over_and_told_once(path, caplog, column, value):
    spoil(path, "aurora_jobs", column, value, "id = 'bad'")
    with opened(path) as store:
        for _ in range(3):
            assert [job.id for job in store.jobs()] == ["good"]
            assert [each.job.id for each in snapshots(store)] == ["good"]
            assert store.job("bad") is None
        (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert str(path) in told.getMessage()
        assert column in told.getMessage()


ROW = {
    "status": "lkst",
    "trigger": "sche`ule",
    "scheduled": "noon",
    "due": 2**62,
    "result": "{",
    "traceback": BROKEN_TEXT,
    "attempt": None,
    "timezone": 5,
    "job_name": BROKEN_TEXT,
}


@pytest.mark.parametrize(("column", "value"), ROW.items())
def test_a_damaged_line_of_the_history_is_shown_with_what_can_be_read_of_it(path, column, value):
    spoil(path, "aurora_executions", column, value, "job_id = 'bad' AND status = 'failed'")
    with opened(path) as store:
        rows = store.executions()
        assert len(rows) == 6
        (bad,) = [row for row in rows if row.error and "damaged" in row.error]
        assert column in bad.error
        assert bad.job_id == "bad"
        assert store.execution(bad.id) == bad
        repr(bad.scheduled_for), repr(bad.lateness), repr(bad.finished_at)


@pytest.mark.parametrize(("column", "value"), [(column, value) for column, value in ROW.items() if column != "status"])
@pytest.mark.parametrize("status", ["waiting", "running"])
def test_of_a_damaged_attempt_nothing_is_made(path, caplog, column, value, status):
    """Neither run nor recovered: nobody knows what it was."""
    spoil(path, "aurora_executions", column, value, f"job_id = 'bad' AND status = '{status}'")
    with opened(path) as store:
        left = {row.job_id for row, _ in store.orphans(OWNER)} if status == "running" else set()
        open_rows = {row.job_id for each in snapshots(store) for row in each.open if row.status == status}
        assert "bad" not in left | open_rows
        assert "good" in open_rows
        assert any(
            "is left as it is" in record.getMessage() and column in record.getMessage() for record in caplog.records
        )


@pytest.mark.parametrize(
    "policies",
    [
        '{"retry_delay": 4611686018427387904}',
        '{"retry_delay": null}',
        '{"retry_backoff": Infinity}',
        '{"max_retries": true}',
        '{"on_exhausted": "explode"}',
        '{"runner": "abacus"}',
        '{"on_failure": 5}',
        '{"on_failure": "nowhere"}',
        '{"on_deactivate": ["shop:tell"]}',
        '{"ping": "gopher://example.org/"}',
        '{"exclude_dates": ["someday"]}',
        '{"exclude_dates": "2030-12-25"}',
        '{"only_between": [1]}',
        '{"only_between": [0, 86400000000]}',
        "[]",
    ],
)
def test_policies_that_no_release_has_written_are_damage(path, policies):
    spoil(path, "aurora_jobs", "policies", policies, "id = 'bad'")
    with opened(path) as store:
        assert "policies is" in store.job("bad").status_reason
        assert store.job("bad").policies == make_job().policies


def test_a_policy_that_this_release_does_not_know_is_left_out(path):
    spoil(path, "aurora_jobs", "policies", '{"of_the_future": 5, "max_retries": 7}', "id = 'bad'")
    with opened(path) as store:
        assert store.job("bad").status is JobStatus.ACTIVE
        assert store.job("bad").policies.max_retries == 7
