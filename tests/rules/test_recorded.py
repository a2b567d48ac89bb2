"""The wall clock was set back, and a job comes to instants that have their record already."""

from __future__ import annotations

import pytest

from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules import beyond, pass_over, standing
from support.lives import HOUR, MINUTE, START, Ids, a_job, a_row

MISSED = ExecutionStatus.MISSED


def a_record(job, first, last=None):
    """What stands for the hours from `first` to `last`."""
    last = first if last is None else last
    return a_row(
        job, MISSED, scheduled=START + first * HOUR, last_scheduled=START + last * HOUR, count=last - first + 1
    )


def passed_over(job, records, hours):
    commit = pass_over(job, records, START + hours * HOUR + MINUTE, Ids())
    assert commit.job is not None
    assert commit.moved == ()
    rows = [((row.scheduled - START) // HOUR, (row.last_scheduled - START) // HOUR, row.count) for row in commit.new]
    assert all(row.status is MISSED for row in commit.new)
    return rows, (commit.job.next_fire - START) // HOUR


def test_going_past_a_recorded_instant_writes_no_row():
    job = a_job()
    assert passed_over(job, [a_record(job, 1)], 1) == ([], 2)


def test_going_past_a_range_goes_past_all_of_it():
    job = a_job()
    assert passed_over(job, [a_record(job, 1, 4)], 1) == ([], 5)


def test_what_is_due_before_a_record_and_has_none_is_missed_and_not_forgotten():
    job = a_job()
    assert passed_over(job, [a_record(job, 3)], 3) == ([(1, 2, 2)], 4)


def test_what_is_due_between_two_records_is_a_row_of_its_own():
    job = a_job()
    records = [a_record(job, 7), a_record(job, 3, 4)]
    assert passed_over(job, records, 9) == ([(1, 2, 2), (5, 6, 2)], 8)


def test_what_is_due_after_the_last_record_is_left_to_the_policies():
    job = a_job()
    assert passed_over(job, [a_record(job, 1)], 5) == ([], 2)


def test_what_is_not_due_yet_is_left_alone():
    job = a_job()
    assert passed_over(job, [a_record(job, 1), a_record(job, 3)], 2) == ([], 2)
    assert passed_over(job, [a_record(job, 1), a_record(job, 2)], 1) == ([], 2)


def test_where_nobody_knows_what_is_in_the_way_one_gets_past_it_all_the_same():
    assert passed_over(a_job(), [], 1) == ([], 2)


def test_a_record_of_no_instant_of_the_schedule_is_not_in_the_way():
    job = a_job()
    row = a_row(job, MISSED, scheduled=START + 90 * MINUTE)
    assert standing(job, [row], START, START + HOUR) == []
    assert standing(job, [a_record(job, 1)], START, START + HOUR) == [a_record(job, 1)]
    assert passed_over(job, [row, a_record(job, 2)], 2) == ([(1, 1, 1)], 3)


@pytest.mark.parametrize(("first", "last", "next_fire"), [(-3, 4, 5), (1, 4, 1), (-3, 0, 1)])
def test_a_next_firing_within_a_range_is_beyond_it(first, last, next_fire):
    """The first instant of a range is refused by the store when it is written again, and is passed over then."""
    job = a_job(created=START - 9 * HOUR, state={"next_fire": START + HOUR})
    assert beyond(job, [a_record(job, first, last)], START + HOUR).next_fire == START + next_fire * HOUR


def test_a_range_that_reaches_far_beyond_now_was_recorded_by_a_wrong_clock_and_keeps_nothing_from_running():
    """Of such a range only the first instant stands: that one can have no second record."""
    job = a_job(created=START - 9 * HOUR, state={"next_fire": START + HOUR})
    far = a_record(job, -3, 9999)
    assert beyond(job, [far], START + HOUR) == job
    assert standing(job, [far], START + HOUR, START + HOUR) == []
    assert passed_over(job, [a_record(job, 1, 9999)], 1) == ([], 2)
