"""Every store: many decisions at once are the same as one after the other, and many jobs as one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.model import Change, ChangeKind, Commit, ExecutionStatus
from aurora_scheduler.ports import AlreadyRecorded, Fenced, Snapshot, Stale
from aurora_scheduler.stores import SqliteStore
from aurora_scheduler.stores.postgres import PostgresStore
from stores.making import NOW, OWNER, add, insert, make_execution, make_job, snapshots


@pytest.fixture
def other():
    made = SqliteStore(":memory:")
    made.open()
    yield made
    made.close()


def jobs_of(count):
    return [make_job(f"job {number}") for number in range(count)]


def claims_of(jobs):
    """For each job a claim: the row, and the job one version on."""
    return [
        Commit(
            job=replace(job, version=job.version + 1, runs=1, next_fire=NOW + number),
            new=(make_execution(number, job.id, status=ExecutionStatus.RUNNING, owner=OWNER),),
        )
        for number, job in enumerate(jobs)
    ]


def ends_of(claims):
    """And its end, after which the job is finished."""
    return [
        Commit(
            job=replace(claim.job, version=claim.job.version + 1, next_fire=None, last_run_result={"success": True}),
            moved=(replace(claim.new[0], status=ExecutionStatus.SUCCEEDED, finished=NOW, result={"text": "…"}),),
            change=Change(job_id=claim.job.id, generation=1, at=NOW, kind=ChangeKind.FINISHED),
        )
        for claim in claims
    ]


def everything(store):
    changes = [store.changes_of(job) for job in store.jobs()]
    return store.jobs(), store.executions(limit=10_000), changes, snapshots(store)


def in_a_transaction(store, commits):
    with store.transaction():
        store.commit_all(commits)


def alone(store, commits):
    if isinstance(store, PostgresStore):
        store._node.is_heard = False  # else it is told what was written, and that takes a transaction
    store.commit_alone(commits)


@pytest.fixture(params=[in_a_transaction, alone], ids=["in a transaction", "alone"])
def write_all(request):
    return request.param


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 64, 65, 1024, 1100])
def test_many_at_once_leave_what_one_after_the_other_leaves(store, other, write_all, count):
    jobs = jobs_of(count)
    claims = claims_of(jobs)
    for each in (store, other):
        insert(each, *jobs)
    for commits in (claims, ends_of(claims)):
        write_all(store, commits)
        with other.transaction():
            for commit in commits:
                other.commit(commit)
        assert everything(store) == everything(other)


def test_they_are_known_to_who_decided_them_and_are_not_told_as_news(store, write_all):
    jobs = jobs_of(10)
    insert(store, *jobs)
    number, _ = store.changes_since(0)
    claims = claims_of(jobs)
    write_all(store, claims)
    write_all(store, ends_of(claims))
    assert store.changes_since(number) == (number + 10, [])
    assert len(store.notes.changes) == 10


@pytest.mark.parametrize("place", [0, 4, 9])
@pytest.mark.parametrize("wrong", [Stale, Fenced, AlreadyRecorded])
def test_where_one_does_not_fit_all_are_refused_and_nothing_stands(store, write_all, wrong, place):
    jobs = jobs_of(10)
    insert(store, *jobs)
    claims = claims_of(jobs)
    commits = ends_of(claims) if wrong is Fenced else claims
    if wrong is Stale:
        with store.transaction():
            store.replace(replace(jobs[place], version=2, name="edited"))
    elif wrong is AlreadyRecorded:
        add(store, replace(claims[place].new[0], id="before", status=ExecutionStatus.SKIPPED))
    else:
        write_all(store, claims)
        with store.transaction():
            store.commit(Commit(job=None, moved=ends_of(claims)[place].moved))
    before = everything(store)
    with pytest.raises(wrong):
        write_all(store, commits)
    assert everything(store) == before


TEXTS = [
    "",
    "'",
    '"',
    "\\",
    "a\0b\1",
    "{}",
    "NULL",
    "a,b",
    " ",
    "%s",
    "$1",
    "'); DROP TABLE x; --",
    "E'\\x41'",
    "é😀\n",
]


def test_texts_are_stored_as_they_are_whatever_is_in_them(store, other, write_all):
    claims = claims_of(jobs_of(len(TEXTS)))
    for each in (store, other):
        insert(each, *jobs_of(len(TEXTS)))
        in_a_transaction(each, claims)
    commits = [
        replace(commit, moved=(replace(commit.moved[0], error=text, traceback=text, result={text: text}),))
        for commit, text in zip(ends_of(claims), TEXTS, strict=True)
    ]
    write_all(store, commits)
    write_all(other, commits)
    assert everything(store) == everything(other)
    assert [row.error for row in reversed(store.executions())] == TEXTS


def test_ids_that_were_heard_of_are_those_of_jobs_and_of_history(store):
    insert(store, make_job("a job"))
    add(store, make_execution(1, "rows alone"))
    with store.transaction():
        store.record(Change(job_id="changes alone", generation=1, at=NOW, kind=ChangeKind.DELETED))
    asked = ["a job", "rows alone", "changes alone", "nothing", 'a "quoted" one']
    assert store.heard_of(asked) == {"a job", "rows alone", "changes alone"}
    assert store.heard_of([]) == set()


@pytest.mark.parametrize("count", [1, 99, 100, 250])
def test_snapshots_of_some_come_in_the_order_in_which_they_were_asked_for(store, count):
    jobs = jobs_of(count)
    insert(store, *jobs)
    rows = [make_execution(number, job.id) for number, job in enumerate(jobs)]
    add(store, *rows, make_execution(10_000, "job 0", status=ExecutionStatus.SUCCEEDED))
    wanted = [job.id for job in reversed(jobs)]
    assert store.snapshots_of([*wanted, "nothing"]) == [
        *(Snapshot(job, (row,)) for job, row in reversed(list(zip(jobs, rows, strict=True)))),
        None,
    ]
