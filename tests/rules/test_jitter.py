"""The option `jitter`: firings a little after their instants, the same ones at every start."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.instants import SECOND, presented
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules import Sleep, pause, resume
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.rules.timing import delay_of, fallen_due, schedule_of
from support.lives import DAY, HOUR, MINUTE, START, Life, a_job, check_instants, instants_of

schedules = st.sampled_from(["every 1 hour", "every 1 second", "*/7 * * * *", "0 9 * * 1-5", "in 3 hours"])
jitters = st.sampled_from([0, 1, SECOND, MINUTE, HOUR, 10 * DAY])


@given(schedules, jitters)
def test_the_share_is_within_the_jitter_and_before_the_next_instant(schedule, jitter):
    job = a_job(schedule, jitter=jitter)
    instant = job.next_fire
    for _ in range(20):
        if instant is None:
            break
        share = delay_of(job, instant)
        assert 0 <= share <= jitter
        following = schedule_of(job).next_instant(instant)
        assert following is None or instant + share < following
        instant = following


def test_the_share_depends_on_job_and_instant_alone():
    job = a_job(jitter=HOUR)
    assert delay_of(job, START + HOUR) == delay_of(replace(job, runs=7, version=9), START + HOUR)
    assert delay_of(job, START + HOUR) != delay_of(job, START + 2 * HOUR)
    assert delay_of(job, START + HOUR) != delay_of(replace(job, id="another"), START + HOUR)


def test_many_jobs_of_one_instant_are_spread():
    shares = [delay_of(a_job(jitter=MINUTE, state={"id": f"job {n}"}), START + HOUR) for n in range(600)]
    tenths = [share // (6 * SECOND) for share in shares]
    assert all(tenths.count(tenth) > 30 for tenth in range(10))


def test_a_job_sleeps_until_its_firing_is_due_and_records_its_instant():
    life = Life(jitter=30 * MINUTE)
    due = life.job.next_due
    assert due is not None
    assert life.decide() == Sleep(due)
    assert START + HOUR < due < START + 90 * MINUTE
    life.live_until(due)
    (row,) = life.running
    assert (row.scheduled, row.due, row.started) == (START + HOUR, due, due)


def test_the_next_run_time_is_when_it_is_due():
    job = a_job(jitter=30 * MINUTE)
    assert job.next_run_time == presented(job.next_due, "UTC")
    assert job.next_fire == START + HOUR


@given(schedules, jitters, st.integers(0, 3 * DAY))
def test_what_has_come_due_is_what_a_look_at_each_instant_finds(schedule, jitter, after):
    job = a_job(schedule, jitter=jitter)
    if schedule == "every 1 second":
        after %= HOUR // 10
    due = instants_of(job, START + after)
    assert fallen_due(job, START + after) == ((due[-1], len(due)) if due else None)


def test_a_backlog_ends_with_what_has_come_due():
    life = Life(jitter=50 * MINUTE).go_to(START + 10 * HOUR + 1)
    life.act()
    check_instants(life.rows.values(), instants_of(life.job, life.now))
    assert [row.scheduled for row in life.running] == [START + 9 * HOUR]
    assert life.job.next_fire == START + 10 * HOUR


def test_a_job_paused_between_the_instant_and_its_share_has_missed_nothing():
    life = Life(jitter=50 * MINUTE).go_to(START + HOUR + 1)
    life.apply(pause(life.job, (), life.now, life.ids))
    assert life.rows == {}
    life.apply(resume(life.job, (), 0, life.now + 1, life.ids()))
    assert life.job.next_fire == START + HOUR
    assert life.job.next_due is not None
    assert life.job.next_due > life.now


def test_a_one_off_whose_share_passed_while_paused_is_missed():
    life = Life(a_job("in 1 hour", jitter=50 * MINUTE)).go_to(START + MINUTE)
    life.apply(pause(life.job, (), life.now, life.ids))
    life.go_to(START + 3 * HOUR)
    life.apply(resume(life.job, (), 0, life.now, life.ids()))
    (row,) = life.rows.values()
    assert (row.status, row.reason) == (ExecutionStatus.MISSED, Reason.PAUSED)
