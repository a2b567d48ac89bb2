"""Every store: what is written, what is refused, and that a refusal leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.errors import JobExistsError, StoreError
from aurora_scheduler.model import Change, ChangeKind, Commit, ExecutionStatus, Job, JobStatus
from aurora_scheduler.ports import AlreadyRecorded, Fenced, Notes, Refused, Stale
from stores.making import NOW, OWNER, STORES, add, insert, make_execution, make_job, snapshots, undone

FINAL = [status for status in ExecutionStatus if status.is_final]


def stepped(job, **state):
    """The job one version on, as every decision leaves it."""
    return replace(job, version=job.version + 1, **state)


def ended(row, status=ExecutionStatus.SUCCEEDED, **fields):
    return replace(row, status=status, finished=row.due + 1, **fields)


def created(job):
    return Change(job_id=job.id, generation=job.generation, at=NOW, kind=ChangeKind.CREATED)


def everything(store):
    """All that a store has to say, to be compared."""
    return store.jobs(), store.executions(limit=1000), store.changes_since(0), snapshots(store)


# A commit is one decision -----------------------------------------------------------------------------------------


def test_a_decision_is_written_as_a_whole(store):
    job = make_job()
    insert(store, job)
    waiting, running, new = make_execution(1), make_execution(2, status=ExecutionStatus.RUNNING), make_execution(3)
    add(store, waiting, running)
    after = stepped(job, runs=1, next_fire=None)
    cancelled = ended(waiting, ExecutionStatus.CANCELLED, reason="paused")
    succeeded = ended(running, result={"success": True})
    with store.transaction():
        store.commit(Commit(job=after, new=(new,), moved=(cancelled, succeeded), change=created(job)))
    assert store.job(job.id) == after
    assert store.executions() == [new, succeeded, cancelled]
    assert store.changes_since(0)[1] == [job.id]


def test_a_decision_about_a_job_that_is_gone_writes_its_rows(store):
    running = make_execution(status=ExecutionStatus.RUNNING)
    add(store, running)
    with store.transaction():
        store.commit(Commit(job=None, moved=(ended(running),)))
    assert store.execution(running.id) == ended(running)


def test_an_empty_decision_writes_nothing(store):
    with store.transaction():
        store.commit(Commit(job=None))
    assert everything(store) == ([], [], (0, []), [])


# The record is unique ---------------------------------------------------------------------------------------------


def test_an_attempt_at_a_firing_is_recorded_once(store):
    row = make_execution(1)
    again = replace(make_execution(2), scheduled=row.scheduled)
    add(store, row)
    with pytest.raises(AlreadyRecorded):
        add(store, again)
    assert store.executions() == [row]


def test_an_id_of_an_execution_is_used_once(store):
    row = make_execution(1)
    add(store, row)
    with pytest.raises(AlreadyRecorded):
        add(store, replace(make_execution(2), id=row.id))
    assert store.executions() == [row]


@pytest.mark.parametrize(
    "other",
    [{"job_id": "other"}, {"generation": 2}, {"scheduled": NOW}, {"attempt": 2}],
    ids=["another job", "another generation", "another instant", "another attempt"],
)
def test_what_differs_in_one_part_of_the_key_is_another_record(store, other):
    row = make_execution(1)
    second = replace(make_execution(2), **{"scheduled": row.scheduled, **other})
    add(store, row, second)
    assert store.executions() == [second, row]


def test_the_record_is_unique_within_one_decision_too(store):
    row = make_execution(1)
    with pytest.raises(AlreadyRecorded):
        add(store, row, replace(make_execution(2), scheduled=row.scheduled))
    assert store.executions() == []


def test_nothing_stands_of_a_decision_whose_firing_is_recorded_already(store):
    job, waiting = make_job(), make_execution(1)
    insert(store, job)
    add(store, waiting)
    before = everything(store)
    commit = Commit(
        job=stepped(job, runs=7),
        new=(make_execution(2), make_execution(3, scheduled=waiting.scheduled)),
        moved=(ended(waiting),),
        change=created(job),
    )
    with pytest.raises(AlreadyRecorded), store.transaction():
        store.commit(commit)
    assert everything(store) == before


# Versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [-1, 1, 5], ids=["too old", "too new", "much too new"])
def test_a_decision_taken_on_another_version_is_stale(store, late):
    job = make_job(version=10)
    insert(store, job)
    with pytest.raises(Stale), store.transaction():
        store.commit(Commit(job=replace(job, version=job.version + 1 + late), new=(make_execution(),)))
    assert store.job(job.id) == job
    assert store.executions() == []


def test_of_two_decisions_taken_on_one_version_the_second_is_stale(store):
    job = make_job()
    insert(store, job)
    with store.transaction():
        store.commit(Commit(job=stepped(job, runs=1)))
    with pytest.raises(Stale), store.transaction():
        store.commit(Commit(job=stepped(job, runs=2)))
    assert store.job(job.id) == stepped(job, runs=1)


def test_a_decision_about_another_generation_is_stale(store):
    job = make_job(generation=2)
    insert(store, job)
    with pytest.raises(Stale), store.transaction():
        store.commit(Commit(job=stepped(replace(job, generation=1))))
    assert store.job(job.id) == job


@pytest.mark.parametrize("write", ["commit", "replace", "remove"])
def test_a_decision_about_a_deleted_job_is_stale(store, write):
    job = make_job()
    insert(store, job)
    with store.transaction():
        store.remove(job)
    argument = {"commit": Commit(job=stepped(job)), "replace": stepped(job), "remove": job}[write]
    with pytest.raises(Stale), store.transaction():
        getattr(store, write)(argument)
    assert store.jobs() == []


@pytest.mark.parametrize("other", [{"version": 4}, {"version": 2}, {"generation": 2}], ids=str)
def test_only_the_version_that_was_seen_is_removed_or_replaced(store, other):
    job = make_job(version=3)
    insert(store, job)
    with pytest.raises(Stale), store.transaction():
        store.remove(replace(job, **other))
    with pytest.raises(Stale), store.transaction():
        store.replace(stepped(replace(job, **other)))
    assert store.job(job.id) == job


# Fencing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", list(ExecutionStatus))
@pytest.mark.parametrize("final", FINAL)
def test_final_never_changes(store, final, after):
    """I7."""
    row = make_execution(status=final, owner=OWNER, result={"kept": True})
    add(store, row)
    with pytest.raises(Fenced), store.transaction():
        store.commit(Commit(job=None, moved=(replace(row, status=after, result=None),)))
    assert store.execution(row.id) == row


@pytest.mark.parametrize("status", [ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING])
def test_what_another_owner_holds_stays_his(store, status):
    row = make_execution(status=status, owner="another")
    add(store, row)
    for mine in (ended(row, owner=OWNER), ended(row, owner=None), replace(row, owner=OWNER)):
        with pytest.raises(Fenced), store.transaction():
            store.commit(Commit(job=None, moved=(mine,)))
    assert store.execution(row.id) == row


def test_an_attempt_that_waits_belongs_to_who_takes_it_first(store):
    row = make_execution()
    add(store, row)
    first, second = (replace(row, status=ExecutionStatus.RUNNING, owner=name) for name in ("first", "second"))
    with store.transaction():
        store.commit(Commit(job=None, moved=(first,)))
    with pytest.raises(Fenced), store.transaction():
        store.commit(Commit(job=None, moved=(second,)))
    assert store.execution(row.id) == first


def test_a_row_that_does_not_exist_cannot_be_moved(store):
    with pytest.raises(Fenced), store.transaction():
        store.commit(Commit(job=None, moved=(ended(make_execution()),)))
    assert store.executions() == []


def test_nothing_stands_of_a_decision_that_is_fenced(store):
    job, mine = make_job(), make_execution(1, status=ExecutionStatus.RUNNING)
    his = make_execution(2, status=ExecutionStatus.RUNNING, owner="another")
    insert(store, job)
    add(store, mine, his)
    before = everything(store)
    moved = (ended(mine), ended(his, owner=OWNER))
    with pytest.raises(Fenced), store.transaction():
        store.commit(Commit(job=stepped(job), new=(make_execution(3),), moved=moved, change=created(job)))
    assert everything(store) == before


def test_every_refusal_is_one_kind_of_error():
    assert issubclass(Stale, Refused)
    assert issubclass(Fenced, Refused)
    assert issubclass(AlreadyRecorded, Refused)


# Transactions and savepoints --------------------------------------------------------------------------------------


def refused_decisions():
    job = make_job()
    return {
        "stale": Commit(job=stepped(stepped(job)), new=(make_execution(50),), change=created(job)),
        "fenced": Commit(job=stepped(job), moved=(ended(make_execution(51)),), change=created(job)),
        "recorded": Commit(job=stepped(job), new=(make_execution(50), make_execution(1)), change=created(job)),
    }


@pytest.mark.parametrize("kind", refused_decisions())
def test_a_refused_decision_in_a_savepoint_leaves_the_others_of_its_transaction(store, kind):
    job, recorded = make_job(), make_execution(1)
    insert(store, job)
    add(store, recorded)

    def refused():
        with store.savepoint():
            store.insert(make_job("with it"))
            store.commit(refused_decisions()[kind])

    with store.transaction():
        with store.savepoint():
            store.insert(make_job("before"))
        with pytest.raises(Refused):
            refused()
        with store.savepoint():
            store.commit(Commit(job=stepped(job, runs=1), new=(make_execution(2),)))
    assert {each.id for each in store.jobs()} == {"before", job.id}
    assert store.job(job.id) == stepped(job, runs=1)
    assert store.executions() == [make_execution(2), recorded]
    assert store.changes_since(0)[1] == []


def test_an_error_undoes_the_whole_transaction(store):
    with undone(store.transaction()):
        store.insert(make_job())
        with store.savepoint():
            store.commit(Commit(job=None, new=(make_execution(),), change=created(make_job())))
    assert everything(store) == ([], [], (0, []), [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_transaction_is_undone_by_whatever_ends_it(store, error):
    def write():
        with store.transaction():
            store.insert(make_job())
            raise error

    with pytest.raises(error):
        write()
    assert store.jobs() == []
    insert(store, make_job())
    assert store.jobs() == [make_job()]


def test_within_a_transaction_its_own_writes_are_seen(store):
    with store.transaction():
        store.insert(make_job())
        store.commit(Commit(job=None, new=(make_execution(),)))
        assert everything(store)[:2] == ([make_job()], [make_execution()])
        found = store.snapshot("nightly")
        assert found is not None
        assert found.open == (make_execution(),)


def test_notes_tell_of_touched_jobs_and_of_rows_that_became_final(store):
    job, running = make_job(), make_execution(1, status=ExecutionStatus.RUNNING)
    missed, waiting = make_execution(2, status=ExecutionStatus.MISSED), make_execution(3)
    with store.transaction():
        store.insert(job)
        store.insert(make_job("other"))
        store.commit(Commit(job=None, new=(running,)))
        store.commit(Commit(job=stepped(job), new=(missed, waiting), moved=(ended(running),)))
    assert list(store.notes.touched) == [job.id, "other"]
    assert store.notes.ended == [ended(running), missed]


def test_what_the_engine_decides_touches_nothing_but_what_a_call_changes_does(store):
    """The engine need not be told of what it did itself; a change of a job is what it must hear of."""
    job = make_job()
    insert(store, job)
    store.notes.touched.clear()
    with store.transaction():
        store.commit(Commit(job=stepped(job), new=(make_execution(),)))
    assert list(store.notes.touched) == []
    with store.transaction():
        store.commit(Commit(job=stepped(stepped(job)), change=created(job)))
    assert list(store.notes.touched) == [job.id]


def test_notes_forget_what_was_undone(store):
    with store.transaction():
        store.insert(make_job("kept"))
        with undone(store.savepoint()):
            store.insert(make_job("undone"))
            store.commit(Commit(job=None, new=(make_execution(1, status=ExecutionStatus.MISSED),)))
        with store.savepoint():
            store.insert(make_job("kept too"))
    assert (list(store.notes.touched), store.notes.ended) == (["kept", "kept too"], [])
    with undone(store.transaction()):
        store.insert(make_job("undone"))
    assert "undone" not in store.notes.touched


# Jobs and generations ---------------------------------------------------------------------------------------------


def test_an_id_is_taken_by_one_job_at_a_time(store):
    insert(store, make_job())
    with pytest.raises(JobExistsError) as refused:
        insert(store, make_job("other"), make_job(name="Another", generation=2))
    assert refused.value.job_id == "nightly"
    assert store.jobs() == [make_job()]


def test_the_history_of_a_removed_job_stays(store):
    job, row = make_job(), make_execution(status=ExecutionStatus.SUCCEEDED)
    insert(store, job)
    add(store, row)
    with store.transaction():
        store.record(created(job))
        store.remove(job)
    assert store.job(job.id) is None
    assert store.executions(job.id) == [row]
    assert store.changes_since(0)[1] == [job.id]


def test_the_first_job_of_an_id_is_its_first_generation(store):
    assert store.next_generation("nightly") == 1
    assert store.next_generation("") == 1


@pytest.mark.parametrize("trace", ["job", "execution", "change"])
def test_a_generation_is_one_more_than_any_trace_of_the_id(store, trace):
    job = make_job(generation=6)
    with store.transaction():
        if trace == "job":
            store.insert(job)
        elif trace == "execution":
            store.commit(Commit(job=None, new=(make_execution(generation=6),)))
        else:
            store.record(created(job))
        store.insert(make_job("other", generation=9))
    assert store.next_generation(job.id) == 7


def test_an_id_used_again_collides_with_nothing(store):
    old, row = make_job(), make_execution(1)
    insert(store, old)
    with store.transaction():
        store.commit(Commit(job=stepped(old), new=(row,), change=created(old)))
        store.remove(stepped(old))
    new = make_job(generation=store.next_generation(old.id))
    same_instant = replace(make_execution(2), scheduled=row.scheduled, generation=new.generation)
    assert new.generation == 2
    with store.transaction():
        store.insert(new)
        store.commit(Commit(job=stepped(new), new=(same_instant,)))
    found = store.snapshot(new.id)
    assert found is not None
    assert found.open == (same_instant,)
    assert store.executions(new.id) == [same_instant, row]
    assert store.is_recorded(new.id, 1, row.scheduled)
    assert not store.is_recorded(new.id, 3, row.scheduled)


def test_a_decision_about_the_job_before_does_not_reach_the_one_after(store):
    old = make_job()
    insert(store, old)
    with store.transaction():
        store.remove(old)
        store.insert(make_job(generation=2))
    with pytest.raises(Stale), store.transaction():
        store.commit(Commit(job=stepped(old, status=JobStatus.PAUSED)))
    assert store.jobs() == [make_job(generation=2)]


# Owning, closing --------------------------------------------------------------------------------------------------


def test_to_own_twice_is_to_own(store):
    assert store.own(OWNER)
    assert store.own(OWNER)
    store.disown()
    store.disown()
    assert store.own("another")


def test_a_second_close_does_nothing(store):
    store.own(OWNER)
    store.close()
    store.close()


@pytest.mark.parametrize("kind", STORES)
def test_a_store_that_was_never_opened_can_be_closed(kind, tmp_path):
    STORES[kind](tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.jobs()
    with pytest.raises(StoreError, match="closed"), store.transaction():
        pass


def test_what_the_engine_here_has_decided_itself_it_is_not_told(store):
    def paused(job: Job, at: int) -> Commit:
        change = Change(job_id=job.id, generation=1, at=at, kind=ChangeKind.DEACTIVATED, detail="by itself")
        return Commit(job=replace(job, version=job.version + 1), change=change)

    job, other = make_job("a"), make_job("b")
    insert(store, job, other)
    seen, _ = store.changes_since(0)
    store.notes = Notes()
    with store.transaction():
        store.commit(paused(job, NOW), is_known=True)
        assert list(store.notes.touched) == []
        store.commit(paused(other, NOW))
    assert list(store.notes.touched) == ["b"]
    assert len(store.changes_of(job)) == 1
    later, ids = store.changes_since(seen)
    assert (later, list(ids)) == (seen + 2, ["b"])


def test_a_change_that_was_taken_back_hides_no_other_of_its_number(store):
    job = make_job("a")
    insert(store, job)
    seen, _ = store.changes_since(0)
    change = Change(job_id="a", generation=1, at=NOW, kind=ChangeKind.DEACTIVATED, detail="by itself")
    with undone(store.transaction()):
        store.commit(Commit(job=replace(job, version=job.version + 1), change=change), is_known=True)
    with store.transaction():
        with undone(store.savepoint()):
            store.commit(Commit(job=replace(job, version=job.version + 1), change=change), is_known=True)
        store.record(change)
    assert list(store.changes_since(seen)[1]) == ["a"]
