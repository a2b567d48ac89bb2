"""Every store: a job that goes on under another id takes its history with it, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.errors import JobExistsError, StoreCorruptError
from aurora_scheduler.model import Change, ChangeKind, Commit, ExecutionStatus, Job
from aurora_scheduler.ports import Fenced, Notes, Stale
from aurora_scheduler.rules import renamed
from aurora_scheduler.stores.postgres import PostgresStore
from stores.making import NOW, add, insert, make_execution, make_job, undone


def damage(store, statement):
    connection = store._connection
    (connection.sql if isinstance(store, PostgresStore) else connection).execute(statement)


def updated(job: Job, at: int = NOW) -> Change:
    return Change(job_id=job.id, generation=job.generation, at=at, kind=ChangeKind.UPDATED)


def rename(store, job: Job, job_id: str) -> Job:
    """In a transaction of its own; the job as it is then."""
    after = renamed(job, job_id, store.next_generation(job_id), NOW)
    with store.transaction():
        store.rename(job, after)
    return after


def test_a_renamed_job_takes_its_executions_and_its_changes_with_it(store):
    job = make_job("old", runs=3, retry_count=1)
    ended, waiting = make_execution(1, "old", status=ExecutionStatus.FAILED), make_execution(2, "old")
    insert(store, job)
    add(store, ended, waiting)
    with store.transaction():
        store.record(updated(job))
    after = rename(store, job, "new")
    assert store.jobs() == [after] == [replace(job, id="new", version=2)]
    assert store.executions() == [replace(waiting, job_id="new"), replace(ended, job_id="new")]
    assert store.snapshot("new").open == (replace(waiting, job_id="new"),)
    assert store.changes_of(after) == [updated(after)]
    assert (store.job("old"), store.executions("old"), store.changes_of(job)) == (None, [], [])


def test_what_former_jobs_of_the_old_id_left_stays_under_it(store):
    former = make_execution(1, "old", status=ExecutionStatus.SUCCEEDED)
    job = make_job("old", generation=2)
    own = make_execution(2, "old", generation=2, status=ExecutionStatus.SUCCEEDED)
    insert(store, job)
    add(store, former, own)
    rename(store, job, "new")
    assert store.executions("old") == [former]
    assert store.executions("new") == [replace(own, job_id="new", generation=1)]


def test_it_collides_with_nothing_that_a_former_job_of_the_new_id_left(store):
    job, row = make_job("old"), make_execution(1, "old", status=ExecutionStatus.SUCCEEDED)
    of_the_same_instant = make_execution(2, "new", scheduled=row.scheduled, status=ExecutionStatus.FAILED)
    insert(store, job)
    add(store, row, of_the_same_instant)
    after = rename(store, job, "new")
    assert after.generation == 2
    assert store.executions("new") == [of_the_same_instant, replace(row, job_id="new", generation=2)]
    assert store.recorded(after, row.scheduled, row.scheduled) == [replace(row, job_id="new", generation=2)]


def test_what_runs_can_be_ended_by_who_began_it_and_by_nobody_else(store):
    job, running = make_job("old"), make_execution(1, "old", status=ExecutionStatus.RUNNING)
    insert(store, job)
    add(store, running)
    rename(store, job, "new")
    ended = replace(running, status=ExecutionStatus.SUCCEEDED, finished=NOW)
    with pytest.raises(Fenced), store.transaction():
        store.commit(Commit(job=None, moved=(replace(ended, owner="another"),)))
    with pytest.raises(Stale), store.transaction():
        store.commit(Commit(job=replace(job, version=2), moved=(ended,)))
    with store.transaction():
        store.commit(Commit(job=None, moved=(ended,)))
    assert store.executions() == [replace(ended, job_id="new")]


def test_a_job_that_was_changed_since_is_not_renamed(store):
    job, row = make_job("old"), make_execution(1, "old")
    insert(store, job)
    add(store, row)
    with store.transaction():
        store.commit(Commit(job=replace(job, version=2)))
    with pytest.raises(Stale), store.transaction():
        store.rename(job, renamed(job, "new", 1, NOW))
    assert (store.jobs(), store.executions()) == ([replace(job, version=2)], [row])


def test_an_id_that_is_taken_is_not_given_a_second_time(store):
    job, other = make_job("old"), make_job("new")
    insert(store, job, other)
    with pytest.raises(JobExistsError) as refused, store.transaction():
        store.rename(job, renamed(job, "new", 2, NOW))
    assert refused.value.job_id == "new"
    assert {each.id: each for each in store.jobs()} == {"old": job, "new": other}


def test_a_job_whose_row_is_damaged_keeps_its_id(store):
    insert(store, make_job("old"))
    with store.transaction():
        damage(store, "UPDATE aurora_jobs SET policies = 'no JSON'")
    job = store.job("old")
    with pytest.raises(StoreCorruptError, match=r"'old' cannot be edited: .*policies"), store.transaction():
        store.rename(job, renamed(job, "new", 1, NOW))
    assert [each.id for each in store.jobs()] == ["old"]


def test_a_renaming_that_is_undone_leaves_no_trace(store):
    job, row = make_job("old"), make_execution(1, "old")
    insert(store, job)
    add(store, row)
    with store.transaction():
        store.record(updated(job))
    store.notes = Notes()
    with store.transaction(), undone(store.savepoint()):
        store.rename(job, renamed(job, "new", 1, NOW))
    assert (store.jobs(), store.executions(), store.changes_of(job)) == ([job], [row], [updated(job)])
    assert list(store.notes.touched) == []


def test_who_follows_the_store_is_told_of_both_ids(store):
    job = make_job("old")
    insert(store, job)
    store.notes = Notes()
    with store.transaction():
        store.rename(job, renamed(job, "new", 1, NOW))
        assert list(store.notes.touched) == ["old", "new"]
