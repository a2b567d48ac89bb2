"""Every store: what can be asked of it, and in which order it answers; then retention and backup."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.clock import new_id
from aurora_scheduler.errors import StoreError
from aurora_scheduler.model import Change, ChangeKind, Commit, ExecutionStatus, JobStatus, Trigger
from aurora_scheduler.ports import Computed, Nearest, Snapshot
from aurora_scheduler.stores import SqliteStore
from stores.making import NOW, OWNER, SECOND, add, insert, make_execution, make_job, snapshots, undone

OPEN = [status for status in ExecutionStatus if not status.is_final]


def change(job_id, number=0):
    return Change(job_id=job_id, generation=1, at=NOW + number, kind=ChangeKind.UPDATED, detail="why")


def record(store, *changes):
    with store.transaction():
        for each in changes:
            store.record(each)


# Jobs -------------------------------------------------------------------------------------------------------------


def test_an_empty_store_has_nothing_to_say(store):
    assert store.job("nightly") is None
    assert store.jobs() == []
    assert store.snapshot("nightly") is None
    assert snapshots(store) == []
    assert store.execution("none") is None
    assert store.executions() == []
    assert store.orphans(OWNER) == []
    assert store.cancelling() == {}
    assert not store.is_recorded("nightly", 1, NOW)
    assert store.last_change() == 0
    assert list(store.changes_since(0)[1]) == []
    assert store.crowded(0, "", 10) == ([], None)


def test_jobs_come_in_the_order_in_which_they_were_made_whatever_the_clock_showed_then(store):
    insert(store, make_job("b", created=3), make_job("a", created=5), make_job("c", created=1))
    assert [job.id for job in store.jobs()] == ["b", "a", "c"]


def test_jobs_come_by_the_page(store):
    jobs = [make_job(f"job {number % 4} {number}", created=number) for number in range(7)]
    insert(store, *jobs)
    pages = [store.jobs(limit=3)]
    while pages[-1]:
        pages.append(store.jobs(limit=3, after=pages[-1][-1]))
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [job for page in pages for job in page] == jobs


@pytest.mark.parametrize("gone", [0, 2, 4])
def test_the_next_page_is_found_though_the_job_it_comes_after_was_deleted(store, gone):
    jobs = [make_job(f"job {number}", created=number) for number in range(5)]
    insert(store, *jobs)
    with store.transaction():
        store.remove(jobs[gone])
    assert store.jobs(after=jobs[gone]) == jobs[gone + 1 :]


@pytest.mark.parametrize("status", list(JobStatus))
def test_jobs_can_be_asked_for_by_status(store, status):
    insert(store, *(make_job(each, status=each) for each in JobStatus))
    assert [job.id for job in store.jobs(status)] == [status]


def test_status_and_tag_are_both_asked_for(store):
    def tagged(job_id, status, *tags):
        return make_job(job_id, status=status, tags=tags)

    paused, active = JobStatus.PAUSED, JobStatus.ACTIVE
    insert(store, tagged("1", active, "a"), tagged("2", paused, "a"), tagged("3", paused, "b"), tagged("4", paused))
    assert [job.id for job in store.jobs(paused, "a")] == ["2"]
    assert [job.id for job in store.jobs(tag="a")] == ["1", "2"]
    assert [job.id for job in store.jobs(paused)] == ["2", "3", "4"]


# A job with its open rows -----------------------------------------------------------------------------------------


def test_a_snapshot_is_the_job_and_its_own_open_rows_oldest_first(store):
    insert(store, make_job(generation=2))
    open_rows = [make_execution(number, status=status, generation=2) for number, status in enumerate(OPEN, 1)]
    final = [make_execution(20 + number, status=status, generation=2)
             for number, status in enumerate(set(ExecutionStatus) - set(OPEN))]  # fmt: skip
    others = [make_execution(40, generation=1), make_execution(41, job_id="other", generation=2)]
    add(store, *final, *others, *reversed(open_rows))
    assert store.snapshot("nightly") == Snapshot(make_job(generation=2), tuple(open_rows))


def test_snapshots_are_of_jobs_that_are_active_or_unresolved_or_have_open_rows(store):
    insert(store, *(make_job(each, status=each) for each in JobStatus))
    insert(store, make_job("asked for by hand", status=JobStatus.PAUSED))
    row = make_execution(job_id="asked for by hand")
    over = make_execution(2, job_id="paused", status=ExecutionStatus.FAILED)
    add(store, row, over)
    found = {snapshot.job.id: snapshot.open for snapshot in snapshots(store)}
    assert found == {"active": (), "unresolved": (), "asked for by hand": (row,)}


def test_what_is_due_first_is_looked_after_first(store):
    instants = {"c": 30, "none": None, "a": -10, "b": 20}
    insert(store, *(make_job(job_id, next_fire=instant) for job_id, instant in instants.items()))
    assert store.nearest(10) == Nearest(["none", "a", "b", "c"])


def test_where_there_are_too_many_those_that_fire_last_are_left_and_it_is_said_from_when_on(store):
    instants = {"c": 30, "none": None, "a": -10, "b": 20, "d": 20, "asked for": 99}
    insert(store, *(make_job(job_id, next_fire=instant) for job_id, instant in instants.items()))
    insert(store, make_job("unresolved", status=JobStatus.UNRESOLVED), make_job("paused", status=JobStatus.PAUSED))
    add(store, make_execution(job_id="asked for"))
    assert store.nearest(1) == Nearest(["asked for", "none", "a", "unresolved"], until=-10)
    assert set(store.nearest(3).job_ids) == {"asked for", "none", "a", "b", "d", "unresolved"}
    assert [store.nearest(most).until for most in (2, 3, 4, 5)] == [20, 20, 30, None]


def test_the_latest_instant_is_that_of_an_active_job(store):
    assert store.latest() == 0
    insert(store, make_job("a", updated=5), make_job("b", updated=3, last_run=7), make_job("c", updated=4, last_run=1))
    insert(store, make_job("paused", updated=9, status=JobStatus.PAUSED))
    assert store.latest() == 7


def test_jobs_can_be_found_by_what_their_next_firing_was_computed_with(store):
    insert(store, make_job("plain"), make_job("finished", status=JobStatus.FINISHED, next_fire=None))
    old = [
        make_job(job_id, timezone="Asia/Tokyo", zone_data="old", next_fire=at) for job_id, at in (("b", 2), ("a", 1))
    ]
    insert(store, *old, make_job("new", timezone="Asia/Tokyo", zone_data="new"))
    assert set(store.computed_with()) == {
        Computed("Europe/Berlin", None, "relative"),
        Computed("Asia/Tokyo", "old", "relative"),
        Computed("Asia/Tokyo", "new", "relative"),
    }
    assert store.jobs_computed_with(Computed("Asia/Tokyo", "old", "relative")) == ["a", "b"]
    assert store.jobs_computed_with(Computed("Europe/Berlin", None, "relative")) == ["plain"]


def test_orphans_are_what_runs_under_another_owner(store):
    rows = [make_execution(number, status=status) for number, status in enumerate(ExecutionStatus, 1)]
    his = [replace(row, owner="another") for row in rows]
    mine = [make_execution(20 + number, status=status) for number, status in enumerate(OPEN)]
    add(store, *his, *mine)
    running = [row for row in his if row.status in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING)]
    assert store.orphans(OWNER) == [(row, 0) for row in running]


def test_an_orphan_comes_with_the_number_of_earlier_deaths_of_its_firing(store):
    instant = NOW
    lost = [make_execution(n, scheduled=instant, attempt=n, status=ExecutionStatus.LOST) for n in (1, 2)]
    failed = make_execution(3, scheduled=instant, attempt=3, status=ExecutionStatus.FAILED)
    orphan = make_execution(4, scheduled=instant, attempt=4, status=ExecutionStatus.RUNNING)
    elsewhere = [
        make_execution(5, scheduled=instant + 1, status=ExecutionStatus.LOST),
        make_execution(6, scheduled=instant, generation=2, status=ExecutionStatus.LOST),
        make_execution(7, scheduled=instant, job_id="other", status=ExecutionStatus.LOST),
    ]
    add(store, *lost, failed, orphan, *elsewhere)
    assert store.orphans("another") == [(orphan, 2)]


def test_orphans_of_deleted_jobs_and_without_an_owner_are_orphans_too(store):
    row = make_execution(job_id="deleted", status=ExecutionStatus.RUNNING, owner=None)
    add(store, row)
    assert store.orphans(OWNER) == [(row, 0)]


def test_those_to_be_cancelled_are_the_ones_that_were_marked_and_have_not_ended(store):
    rows = [make_execution(number, status=status) for number, status in enumerate(ExecutionStatus, 1)]
    add(store, *rows, make_execution(20, "other", status=ExecutionStatus.CANCELLING, owner="another"))
    marked = [row for row in rows if row.status is ExecutionStatus.CANCELLING]
    assert set(store.cancelling()) == {marked[0].id, make_execution(20).id}


# Executions -------------------------------------------------------------------------------------------------------


def test_executions_come_newest_first_and_at_most_so_many(store):
    rows = [make_execution(number) for number in range(5)]
    add(store, *rows[::2], *rows[1::2])
    assert store.executions() == rows[::-1]
    assert store.executions(limit=2) == [rows[4], rows[3]]
    assert store.executions(limit=0) == []


def test_executions_can_be_asked_for_by_job_and_status(store):
    failed, succeeded = ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED
    a1, a2 = make_execution(1, "a", status=failed), make_execution(2, "a", status=succeeded)
    b3, b4 = make_execution(3, "b", status=failed), make_execution(4, "b", status=failed)
    add(store, a1, a2, b3, b4)
    assert store.executions("a") == [a2, a1]
    assert store.executions(status=failed) == [b4, b3, a1]
    assert store.executions("b", failed, limit=1) == [b4]
    assert store.executions("a", succeeded, before=a2.id) == []
    assert store.executions("none") == []


def test_before_an_instant_are_the_firings_of_earlier_instants(store):
    rows = [make_execution(number) for number in range(4)]
    retry = make_execution(9, scheduled=rows[1].scheduled, attempt=2)
    add(store, *rows, retry)
    assert store.executions(before=rows[2].scheduled) == [retry, rows[1], rows[0]]
    assert store.executions(before=rows[0].scheduled) == []


@given(numbers=st.lists(st.integers(0, 50), unique=True, max_size=20), page=st.integers(1, 7), data=st.data())
def test_paging_by_id_shows_every_execution_once_newest_first(used_store, numbers, page, data):
    rows = [make_execution(number, data.draw(st.sampled_from("ab"))) for number in numbers]
    asked = data.draw(st.sampled_from([None, "a"]))
    expected = sorted((row for row in rows if asked in (None, row.job_id)), key=lambda row: row.id, reverse=True)
    with undone(used_store.transaction()):
        used_store.commit(Commit(job=None, new=tuple(rows)))
        seen: list = []
        while found := used_store.executions(asked, limit=page, before=seen[-1].id if seen else None):
            seen += found
    assert seen == expected


@given(numbers=st.lists(st.integers(0, 50), unique=True, max_size=20), page=st.integers(1, 7))
def test_paging_by_instant_shows_every_firing_of_a_job_once_newest_first(used_store, numbers, page):
    rows = [make_execution(number) for number in numbers]
    with undone(used_store.transaction()):
        used_store.commit(Commit(job=None, new=tuple(rows)))
        seen: list = []
        while found := used_store.executions("nightly", limit=page, before=seen[-1].scheduled if seen else None):
            seen += found
    assert seen == sorted(rows, key=lambda row: row.scheduled, reverse=True)


def test_a_firing_is_recorded_whatever_became_of_it(store):
    for number, status in enumerate(ExecutionStatus):
        add(store, make_execution(number, status=status))
        assert store.is_recorded("nightly", 1, NOW + number * SECOND)
    assert not store.is_recorded("nightly", 1, NOW - 1)
    assert not store.is_recorded("nightly", 2, NOW)
    assert not store.is_recorded("other", 1, NOW)


# Changes ----------------------------------------------------------------------------------------------------------


def test_changes_are_numbered_and_can_be_followed(store):
    record(store, change("a"), change("b"), change("a"))
    seen, ids = store.changes_since(0)
    assert (seen, list(ids)) == (store.last_change(), ["a", "b"])
    assert list(store.changes_since(seen)[1]) == []
    record(store, change("c"), change("b"))
    later, ids = store.changes_since(seen)
    assert later > seen
    assert list(ids) == ["c", "b"]
    assert later == store.last_change()


def test_a_change_that_was_undone_is_not_followed(store):
    record(store, change("a"))
    seen = store.last_change()
    with undone(store.transaction()):
        store.record(change("b"))
    assert list(store.changes_since(seen)[1]) == []
    record(store, change("c"))
    assert list(store.changes_since(seen)[1]) == ["c"]


def test_a_number_is_never_used_again_even_when_its_change_was_pruned(store):
    """Whoever has followed up to the last number must not overlook the next."""
    record(store, change("a"))
    seen, _ = store.changes_since(0)
    with store.transaction():
        assert store.prune_before(NOW + 1, 10) == 1
    assert store.changes_since(seen) == (seen, [])
    record(store, change("b"))
    assert list(store.changes_since(seen)[1]) == ["b"]


# Retention --------------------------------------------------------------------------------------------------------


def test_crowded_are_jobs_with_more_rows_than_are_kept(store):
    add(store, *(make_execution(n, "three", status=ExecutionStatus.SUCCEEDED) for n in range(3)))
    add(store, *(make_execution(n + 10, "two", status=ExecutionStatus.MISSED) for n in range(2)))
    assert store.crowded(1, "", 10) == (["three", "two"], None)
    assert store.crowded(2, "", 10) == (["three"], None)
    assert store.crowded(3, "", 10) == ([], None)
    assert store.crowded(0, "", 1) == (["three"], "three")
    assert store.crowded(0, "three", 1) == (["two"], "two")
    assert store.crowded(0, "two", 1) == ([], None)


def test_jobs_that_have_new_rows_are_found(store):
    old = [make_execution(n, "old", status=ExecutionStatus.SUCCEEDED) for n in range(3)]
    new = [make_execution(n + 10, f"new {n % 2}", status=ExecutionStatus.SUCCEEDED) for n in range(3)]
    assert store.fired_since("", 1) == []
    add(store, *old, *new)
    assert set(store.fired_since("", 1)) == {"old", "new 0", "new 1"}
    assert set(store.fired_since(old[-1].id, 1)) == {"new 0", "new 1"}
    assert store.fired_since(new[-1].id, 1) == []


def test_or_a_share_of_them_the_same_each_time(store):
    ends = [f"{n * 40_503 % 0x10000:04x}" for n in range(400)]
    made = [make_execution(n, f"job {n}", status=ExecutionStatus.SUCCEEDED) for n in range(400)]
    add(store, *(replace(row, id=row.id[:-4] + end) for row, end in zip(made, ends, strict=True)))
    some = store.fired_since("", 10)
    assert 10 < len(some) < 100
    assert some == store.fired_since("", 10)


def test_of_a_job_the_oldest_final_rows_go_and_the_newest_stay(store):
    rows = [make_execution(number, status=ExecutionStatus.SUCCEEDED) for number in range(6)]
    waiting, other = make_execution(0, attempt=2, scheduled=NOW), make_execution(0, "b", status=ExecutionStatus.FAILED)
    waiting, other = replace(waiting, id=new_id(NOW - 1, 1)), replace(other, id=new_id(NOW - 2, 1))
    add(store, *rows, waiting, other)
    with store.transaction():
        assert store.prune_job("nightly", 2, 100) == 4
    assert store.executions() == [rows[5], rows[4], waiting, other]
    with store.transaction():
        assert store.prune_job("nightly", 2, 100) == 0
        assert store.prune_job("nightly", 0, 100) == 2
    assert store.executions() == [waiting, other]


def test_a_job_is_pruned_in_bits(store):
    rows = [make_execution(number, status=ExecutionStatus.SUCCEEDED) for number in range(7)]
    add(store, *rows)
    done = []
    while not done or done[-1]:
        with store.transaction():
            done.append(store.prune_job("nightly", 2, 2))
    assert done == [2, 2, 1, 0]
    assert store.executions() == [rows[6], rows[5]]


def test_what_is_final_and_older_than_an_instant_goes(store):
    limit = NOW + 10 * SECOND
    old = make_execution(1, status=ExecutionStatus.SUCCEEDED)
    young = make_execution(10, status=ExecutionStatus.SUCCEEDED)
    ended_later = make_execution(2, status=ExecutionStatus.SUCCEEDED, finished=limit)
    still_open = [make_execution(number, status=status) for number, status in enumerate(OPEN, 3)]
    add(store, old, young, ended_later, *still_open)
    with store.transaction():
        assert store.prune_before(limit, 100) == 1
    assert store.executions() == [young, *reversed(still_open), ended_later]


def test_finished_jobs_go_when_they_are_older_and_all_others_stay(store):
    """An unresolved job is never deleted, a paused one neither, however old."""
    insert(store, *(make_job(each, status=each, updated=NOW) for each in JobStatus))
    finished = JobStatus.FINISHED
    insert(store, make_job("edited since", status=finished, updated=NOW + 20))
    insert(store, make_job("run since", status=finished, updated=NOW, last_run=NOW + 20))
    insert(store, make_job("run before", status=finished, updated=NOW, last_run=NOW + 5))
    with store.transaction():
        assert store.prune_before(NOW + 20, 100) == 2
    kept = {job.id for job in store.jobs()}
    assert kept == {*JobStatus, "edited since", "run since"} - {JobStatus.FINISHED}


@pytest.mark.parametrize("status", OPEN)
def test_a_finished_job_stays_while_an_attempt_asked_for_by_hand_is_open(store, status):
    """Otherwise the run would have no job: it would wait for ever, or end without a trace in its job."""
    insert(store, make_job(status=JobStatus.FINISHED, next_fire=None))
    add(store, make_execution(status=status, trigger=Trigger.MANUAL))
    with store.transaction():
        store.prune_before(NOW + 3600 * SECOND, 100)
    assert store.job("nightly") is not None


def test_everything_old_is_pruned_in_bits(store):
    insert(store, *(make_job(str(n), status=JobStatus.FINISHED) for n in range(5)))
    add(store, *(make_execution(n, status=ExecutionStatus.LOST) for n in range(5)))
    record(store, *(change("a", n) for n in range(5)))
    done = []
    while not done or done[-1]:
        with store.transaction():
            done.append(store.prune_before(NOW + 3600 * SECOND, 2))
    assert max(done) <= 3 * 2, "at most so many of each kind"
    assert sum(done) == 15
    assert (store.jobs(), store.executions(), list(store.changes_since(0)[1])) == ([], [], [])


def test_an_instant_before_the_epoch_prunes_nothing(store):
    add(store, make_execution(status=ExecutionStatus.SUCCEEDED))
    with store.transaction():
        assert store.prune_before(-1, 10) == 0
    assert len(store.executions()) == 1


# Backup -----------------------------------------------------------------------------------------------------------


def test_a_backup_is_the_whole_database_as_it_is_now(store, tmp_path):
    insert(store, make_job())
    add(store, make_execution())
    record(store, change("nightly"))
    path = tmp_path / "copy.db"
    store.backup(str(path))
    insert(store, make_job("later"))
    copy = SqliteStore(str(path))
    copy.open()
    assert copy.jobs() == [make_job()]
    assert copy.executions() == [make_execution()]
    assert list(copy.changes_since(0)[1]) == ["nightly"]
    copy.close()


def test_a_backup_can_be_read_by_its_owner_only(store, tmp_path):
    """The arguments of jobs are nobody else's business in a copy either."""
    store.backup(str(tmp_path / "copy.db"))
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_never_goes_over_a_file_that_is_there(store, tmp_path):
    path = tmp_path / "copy.db"
    store.backup(str(path))
    before = path.read_bytes()
    insert(store, make_job())
    with pytest.raises(StoreError, match=r"copy\.db"):
        store.backup(str(path))
    assert path.read_bytes() == before


def test_a_backup_to_a_place_that_is_not_there_names_the_place(store, tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        store.backup(str(tmp_path / "nowhere" / "copy.db"))
