"""The demo's accounts. An account that never complains proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aurora_scheduler.cli.demo.ledger import balance, verdict
from aurora_scheduler.cli.demo.snapshot import Snapshot
from aurora_scheduler.instants import SECOND, aware
from aurora_scheduler.model import CallbackName, Execution, ExecutionStatus, Job, ScheduleType, Trigger

T0 = 2_000_000_000 * SECOND

JOB = Job(
    id="j",
    name="index",
    schedule_type=ScheduleType.RELATIVE,
    schedule_value="every 2 seconds",
    callback=CallbackName("m", "f"),
    callback_args={},
    timezone="UTC",
    anchor=T0,
    created=T0,
    updated=T0,
    next_fire=T0 + 10 * SECOND,
)


def row(second: int, status: str = "succeeded", **fields: object) -> Execution:
    at = T0 + second * SECOND
    values = {"last_scheduled": at, "status": ExecutionStatus(status), "due": at, "job_name": "index"} | fields
    return Execution(id=f"{second}", job_id="j", generation=1, timezone="UTC", scheduled=at, **values)


#: Everything an instant can become: run; lost and run again; inside a range; run.
WELL = [
    row(2),
    row(4, "lost"),
    row(4, attempt=2),
    row(6, "missed", count=1),
    row(8),
]


def account_of(rows: list[Execution], until: float = 9, job: Job = JOB):
    ends = aware(T0) + timedelta(seconds=until)
    (account,) = balance(Snapshot(ends, (job,), tuple(rows)), ends)
    return account


def test_what_is_recorded_once_each_balances():
    account = account_of(WELL)
    assert account.wrong == ()
    numbers = (account.due, account.recorded, account.ran, account.missed, account.attempts_lost)
    assert numbers == (4, 4, 3, 1, 1)
    assert verdict([account]) == (
        "Nothing was lost: 4 firings due, 4 recorded (3 ran, 1 missed, 1 attempt lost and run again)"
    )


def test_a_range_stands_for_all_its_instants():
    account = account_of([row(2), row(4, "missed", count=2, last_scheduled=T0 + 6 * SECOND), row(8)])
    assert (account.wrong, account.missed, account.recorded) == ((), 2, 4)


def test_what_ran_by_hand_is_no_instant_of_the_schedule():
    assert account_of([*WELL, row(3, trigger=Trigger.MANUAL)]).wrong == ()


def test_what_came_due_in_the_last_moment_may_be_the_next_starts():
    assert account_of(WELL, until=10.5).wrong == ()
    assert account_of(WELL, until=11.5).wrong == ("2033-05-18 03:33:30+00:00 has no record",)


def test_what_was_recorded_after_the_end_was_asked_for_counts():
    account = account_of([*WELL, row(10)], job=replace(JOB, next_fire=T0 + 12 * SECOND))
    assert (account.wrong, account.due, account.recorded) == ((), 5, 5)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (WELL[1:], "has no record"),
        (WELL[:-1], "has no record"),
        ([], "has no record"),
        ([*WELL, row(3)], "counts 1, not 0"),
        ([*WELL, row(2, "missed", count=2, last_scheduled=T0 + 5 * SECOND)], "not numbered"),
        ([row(2), row(4), row(4, "missed", count=3, last_scheduled=T0 + 8 * SECOND)], "not numbered"),
        ([*WELL, row(5, "missed", count=1, last_scheduled=T0 + 7 * SECOND)], "has 2 records"),
        ([row(2), row(4, "lost"), *WELL[3:]], "is left lost"),
        ([row(2), row(4, "running"), *WELL[3:]], "is left running"),
        ([row(2), row(4, "waiting", attempt=2), *WELL[3:]], "not numbered"),
        ([row(2), row(4, "missed", count=3, last_scheduled=T0 + 6 * SECOND), row(8)], "counts 3, not 2"),
    ],
)
def test_what_does_not_balance_is_told(rows, words):
    account = account_of(rows)
    assert any(words in each for each in account.wrong), account.wrong
    assert verdict([account]).startswith("Something was lost: ")
