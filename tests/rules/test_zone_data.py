"""What becomes of a next firing when the data of its zone have changed, or are not there any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aurora_scheduler.definition import NewJob, declare
from aurora_scheduler.errors import AuroraError, ScheduleError
from aurora_scheduler.instants import instant_of
from aurora_scheduler.model import ChangeKind, ExecutionStatus, Job, JobStatus
from aurora_scheduler.rules import (
    Claim,
    Record,
    Sleep,
    coming,
    decide,
    delete,
    following,
    is_free,
    is_outdated,
    pass_over,
    pause,
    recover,
    renewed,
    request_run,
    reschedule,
    resume,
    rewound,
)
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.rules.timing import anew
from aurora_scheduler.schedules import zone_data
from support.lives import DAY, HOUR, MINUTE, OWNER, START, Ids, Life, a_job, a_row, edited
from support.zones import Zones

CITY = "Aurora/City"
#: Zones of a fixed offset. Their names have it the other way round.
PLUS_1, PLUS_2, PLUS_3 = "Etc/GMT-1", "Etc/GMT-2", "Etc/GMT-3"


@pytest.fixture(autouse=True)
def _city(zones: Zones) -> None:
    zones.change(CITY, PLUS_2)


def a_job_of_the_city(
    schedule: str, *, created: int = START, state: dict[str, Any] | None = None, **options: Any
) -> Job:
    new = NewJob(name="a job", schedule=schedule, callback="support.virtual.act", timezone=CITY, **options)
    return replace(declare(new, now=created, new_id=lambda: "job", timezone="UTC").job, **(state or {}))


def next_after(zones: Zones, like: str, job: Job, now: int) -> int | None:
    """The next firing, computed anew after the city's clocks were changed."""
    zones.change(CITY, like)
    commit = renewed(job, now)
    assert commit is not None
    assert commit.job is not None
    assert commit.job.version == job.version + 1
    assert renewed(commit.job, now) is None, "once is enough"
    return commit.job.next_fire


def at(*fields: int) -> int:
    return instant_of(datetime(*fields).replace(tzinfo=UTC))


class TestWhatIsStored:
    def test_a_next_firing_knows_its_zone_data_and_its_wall_time(self):
        job = a_job_of_the_city("0 9 * * *")
        assert job.next_fire == START + 7 * HOUR
        assert (job.zone_data, job.next_wall) == (zone_data(CITY), START + 9 * HOUR)

    @pytest.mark.parametrize("schedule", ["every 1 hour", "in 1 hour"])
    def test_an_amount_of_time_asks_for_no_zone(self, zones, schedule):
        job = a_job_of_the_city(schedule)
        assert (job.zone_data, job.next_wall) == (None, None)
        zones.change(CITY, PLUS_1)
        assert not is_outdated(job)
        assert renewed(job, START) is None

    def test_whatever_computes_a_next_firing_says_with_what(self, zones):
        """Each with other data than the job had: what it computes has those, what it keeps is kept with the old."""
        old = a_job_of_the_city("0 9 * * *", state={"retry_count": 3})
        zones.change(CITY, PLUS_1)
        due = START + 8 * HOUR
        paused = replace(old, status=JobStatus.PAUSED)
        attempt = a_row(old, ExecutionStatus.RUNNING)
        made = {
            "pausing": pause(old, (), due, Ids()),
            "resuming": resume(paused, (), 0, due, "id"),
            "setting the clock back": rewound(replace(old, next_fire=START + 9 * DAY), (), START),
            "passing over": pass_over(old, (), START, Ids()),
            "renewing": renewed(old, START),
            "dying for the third time": recover(old, (), 0, attempt, 2, due, new_id=Ids()),
        }
        for what, commit in made.items():
            assert commit is not None, what
            assert commit.job is not None, what
            assert commit.job.zone_data == zone_data(CITY) != old.zone_data, what
            assert commit.job.next_wall == commit.job.next_fire + HOUR, what

    def test_what_keeps_a_next_firing_keeps_what_it_was_computed_with(self, zones):
        old = a_job_of_the_city("0 9 * * *")
        zones.change(CITY, PLUS_1)
        commit, _ = request_run(old, START, START, "id")
        renamed = edited(old, {"name": "another"}, now=START)
        for job in (commit.job, renamed):
            assert job is not None
            assert (job.next_fire, job.zone_data, job.next_wall) == (old.next_fire, old.zone_data, old.next_wall)
            assert is_outdated(job)

    def test_an_edit_that_computes_it_has_the_data_of_the_zone_it_is_for(self):
        job = a_job_of_the_city("0 9 * * *")
        for changes in {"timezone": "Asia/Tokyo"}, {"schedule": "0 10 * * *"}, {"max_runs": 5}:
            after = edited(job, changes, now=START)
            assert after is not None
            assert after.zone_data == zone_data(after.timezone)
        timed = edited(job, {"schedule": "every 1 hour"}, now=START)
        assert timed is not None
        assert (timed.zone_data, timed.next_wall) == (None, None)
        limited = edited(timed, {"only_between": ("09:00", "17:00")}, now=START)
        assert limited is not None
        assert limited.zone_data == zone_data(CITY)

    def test_a_job_without_a_next_firing_has_none_of_it(self):
        life = Life(a_job_of_the_city("2026-03-02 09:00"))
        life.live_until(START + 7 * HOUR)
        assert len(life.running) == 1
        assert (life.job.next_fire, life.job.zone_data, life.job.next_wall) == (None, None, None)


class TestComputingAnew:
    @pytest.mark.parametrize("schedule", ["0 9 * * *", "every day at 9am", "2026-03-02 09:00"])
    @pytest.mark.parametrize(("like", "hour"), [(PLUS_1, 8), (PLUS_3, 6), ("Asia/Tokyo", 0)])
    def test_a_wall_time_is_an_instant_of_the_new_data(self, zones, schedule, like, hour):
        job = a_job_of_the_city(schedule)
        assert next_after(zones, like, job, START) == START + hour * HOUR

    def test_what_came_at_its_wall_time_does_not_come_again(self, zones):
        life = Life(a_job_of_the_city("0 9 * * *"))
        life.live_until(START + 7 * HOUR)
        life.end()
        # By the new data it is only 8:00, and it will be 9:00 once more.
        assert next_after(zones, PLUS_1, life.job, life.now) == START + DAY + 8 * HOUR

    def test_what_has_passed_by_the_new_data_is_a_backlog(self, zones):
        job = a_job_of_the_city("0 9 * * *")
        assert next_after(zones, PLUS_3, job, START + 6 * HOUR + MINUTE) == START + 6 * HOUR

    def test_what_was_due_by_the_old_data_alone_is_not_due(self, zones):
        job = a_job_of_the_city("0 9 * * *")
        assert next_after(zones, PLUS_1, job, START + 7 * HOUR + MINUTE) == START + 8 * HOUR

    def test_a_wild_one_goes_on_in_real_time(self, zones):
        job = a_job_of_the_city("*/30 * * * *", created=START + 5 * MINUTE)
        for like in PLUS_1, PLUS_3:
            assert next_after(zones, like, job, START + 10 * MINUTE) == START + 30 * MINUTE
            assert next_after(zones, like, job, START + 5 * HOUR) == START + 30 * MINUTE

    def test_an_interval_within_limits_keeps_to_them(self, zones):
        job = a_job_of_the_city("every 1 hour", only_between=("09:00", "17:00"))
        assert job.next_fire == START + 7 * HOUR
        assert next_after(zones, PLUS_3, job, START) == START + 6 * HOUR
        assert next_after(zones, PLUS_1, job, START) == START + 8 * HOUR

    def test_a_time_with_an_offset_of_its_own_stays(self, zones):
        job = a_job_of_the_city("2026-03-02T09:00+02:00")
        for like in PLUS_1, PLUS_3:
            assert next_after(zones, like, job, START) == START + 7 * HOUR

    def test_the_end_of_a_gap_that_is_not_there_any_more(self, zones):
        zones.change(CITY, "Europe/Berlin")
        job = a_job_of_the_city("30 2 * * *", created=at(2030, 3, 30, 12))
        assert job.next_fire == at(2030, 3, 31, 1)
        assert next_after(zones, PLUS_1, job, at(2030, 3, 30, 12)) == at(2030, 3, 31, 1, 30)

    def test_a_gap_that_was_not_there_before(self, zones):
        zones.change(CITY, PLUS_1)
        job = a_job_of_the_city("30 2 * * *", created=at(2030, 3, 30, 12))
        assert job.next_fire == at(2030, 3, 31, 1, 30)
        assert next_after(zones, "Europe/Berlin", job, at(2030, 3, 30, 12)) == at(2030, 3, 31, 1)

    def test_where_the_instant_stays_only_its_stamps_change(self, zones):
        zones.change(CITY, PLUS_1)
        job = a_job_of_the_city("0 9 * * *")
        zones.change(CITY, "Europe/Berlin")  # which is the same until the end of March
        commit = renewed(job, START)
        assert commit is not None
        assert commit.change is None
        assert commit.job == replace(job, version=2, zone_data=zone_data(CITY))

    def test_an_instant_that_moved_is_told_in_the_history(self, zones):
        job = a_job_of_the_city("0 9 * * *")
        zones.change(CITY, PLUS_1)
        commit = renewed(job, START + 5)
        assert commit is not None
        assert commit.change is not None
        assert (commit.change.kind, commit.change.at) == (ChangeKind.UPDATED, START + 5)
        assert commit.change.detail == (
            "the data of the time zone have changed: the next firing is 2026-03-02 09:00:00+01:00, "
            "not 2026-03-02 08:00:00+01:00"
        )

    @pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.FINISHED])
    def test_whatever_its_status_is_it_stays(self, zones, status):
        job = a_job_of_the_city("0 9 * * *", state={"status": status, "status_reason": "why"})
        zones.change(CITY, PLUS_1)
        commit = renewed(job, START)
        assert commit is not None
        assert commit.job == replace(
            job, version=2, next_fire=START + 8 * HOUR, zone_data=zone_data(CITY), next_wall=START + 9 * HOUR
        )

    def test_there_is_nothing_to_do_where_nothing_comes(self, zones):
        job = a_job_of_the_city("0 9 * * *", state={"next_fire": None})
        zones.change(CITY, PLUS_1)
        assert renewed(job, START) is None

    def test_a_firing_that_moves_behind_the_end_is_none(self, zones):
        life = Life(a_job_of_the_city("0 9 * * *", end_at="2026-03-02 09:30"))
        zones.change(CITY, PLUS_1)
        life.act()
        assert (life.job.status, life.job.next_fire, life.rows) == (JobStatus.FINISHED, None, {})
        assert "the next firing is never" in life.changes[0].detail
        assert [change.kind for change in life.changes] == [ChangeKind.UPDATED, ChangeKind.FINISHED]

    def test_one_that_was_kept_before_an_end_set_later_is_still_kept(self, zones):
        """An edit does not take away what has come due; nor does a file that says the same in another way."""
        job = a_job_of_the_city("0 9 * * *")
        now = START + 8 * HOUR
        after = edited(job, {"end_at": "2026-03-02 08:00"}, now=now)
        assert after is not None
        assert after.next_fire == START + 7 * HOUR
        kept = anew(replace(after, zone_data="of another form"), now)
        assert (kept.next_fire, kept.zone_data) == (START + 7 * HOUR, zone_data(CITY))


class TestRowsOfTheFirstSchema:
    """Nobody knows which data they were computed with."""

    STATE = {"zone_data": None, "next_wall": None}  # noqa: RUF012

    @pytest.mark.parametrize("schedule", ["0 9 * * *", "*/30 * * * *", "2026-03-02 09:00"])
    @pytest.mark.parametrize("now", [START, START + 10 * HOUR])
    def test_where_the_data_have_not_changed_nothing_moves(self, schedule, now):
        job = a_job_of_the_city(schedule)
        commit = renewed(replace(job, **self.STATE), now)
        assert commit is not None
        assert commit.job == replace(job, version=2)
        assert commit.change is None

    def test_a_firing_that_the_schedule_does_not_have_any_more_moves_to_the_next(self, zones):
        job = a_job_of_the_city("0 9 * * *", state=self.STATE)
        assert next_after(zones, PLUS_1, job, START) == START + 8 * HOUR

    def test_a_single_time_is_where_the_data_say(self, zones):
        job = a_job_of_the_city("2026-03-02 09:00", state=self.STATE)
        assert next_after(zones, PLUS_3, job, START) == START + 6 * HOUR


class TestTakingOffTheSchedule:
    """By a process with other data than the job has: what came due is told by the data there are."""

    @pytest.mark.parametrize("take", [pause, delete])
    def test_what_was_due_by_the_old_data_alone_is_not_missed(self, zones, take):
        job = a_job_of_the_city("0 9 * * *")
        zones.change(CITY, PLUS_1)
        assert take(job, (), START + 7 * HOUR + MINUTE, Ids()).new == ()

    @pytest.mark.parametrize("take", [pause, delete])
    @pytest.mark.parametrize("schedule", ["0 9 * * *", "2026-03-02 09:00"])
    def test_what_is_due_by_the_new_data_is_missed(self, zones, take, schedule):
        job = a_job_of_the_city(schedule)
        zones.change(CITY, PLUS_3)
        (row,) = take(job, (), START + 6 * HOUR + MINUTE, Ids()).new
        assert (row.status, row.scheduled, row.count) == (ExecutionStatus.MISSED, START + 6 * HOUR, 1)


class TestDeciding:
    def test_before_anything_is_made_of_a_next_firing_it_is_computed_anew(self, zones):
        life = Life(a_job_of_the_city("0 9 * * *"))
        zones.change(CITY, PLUS_1)
        life.go_to(START + 7 * HOUR)
        assert isinstance(life.decide(), Record)
        assert life.act() == Sleep(START + 8 * HOUR)
        assert life.rows == {}

    def test_a_backlog_by_the_new_data_is_run_once(self, zones):
        life = Life(a_job_of_the_city("0 9 * * *"))
        zones.change(CITY, PLUS_3)
        life.go_to(START + 6 * HOUR + MINUTE)
        life.act()
        assert [(row.scheduled, row.status) for row in life.rows.values()] == [
            (START + 6 * HOUR, ExecutionStatus.RUNNING)
        ]
        life.end()
        assert life.act() == Sleep(START + DAY + 6 * HOUR)

    @pytest.mark.parametrize("schedule", ["0 9 * * *", "every 1 hour", "2026-03-02 09:00"])
    def test_a_zone_that_is_gone_is_said_before_anything_is_due(self, zones, schedule):
        job = a_job_of_the_city(schedule)
        zones.remove(CITY)
        with pytest.raises(ScheduleError, match=CITY):
            decide(job, (), (), START, owner=OWNER, new_id=Ids())

    def test_a_run_by_hand_needs_no_zone(self, zones):
        job = a_job_of_the_city("0 9 * * *")
        zones.remove(CITY)
        commit, row = request_run(job, START + 7, START + 5, "id")
        assert commit.job is not None
        assert isinstance(decide(commit.job, (row,), (), START, owner=OWNER, new_id=Ids()), Claim)


class TestWithoutAZone:
    @pytest.fixture
    def overdue(self, zones: Zones) -> Job:
        """Due twice already, which nobody can tell any more."""
        job = a_job_of_the_city("0 9 * * *", state={"status": JobStatus.UNRESOLVED, "status_reason": "gone"})
        zones.remove(CITY)
        return job

    NOW = START + 2 * DAY

    def test_nothing_is_outdated_and_nothing_computed(self, overdue):
        assert not is_outdated(overdue)
        assert renewed(overdue, self.NOW) is None
        assert anew(overdue, self.NOW) == overdue
        with pytest.raises(ScheduleError):
            following(overdue, self.NOW)

    def test_pausing_records_the_one_instant_that_is_known(self, overdue):
        commit = pause(overdue, (), self.NOW, Ids())
        assert commit is not None
        assert commit.job is not None
        assert (commit.job.status, commit.job.status_reason, commit.job.next_fire) == (JobStatus.PAUSED, None, None)
        (row,) = commit.new
        assert (row.status, row.reason, row.count) == (ExecutionStatus.MISSED, Reason.PAUSED, 1)
        assert row.scheduled == row.last_scheduled == START + 7 * HOUR

    def test_pausing_keeps_an_instant_that_is_still_to_come(self, overdue):
        commit = pause(overdue, (), START, Ids())
        assert commit is not None
        assert commit.job is not None
        assert commit.new == ()
        assert (commit.job.next_fire, commit.job.zone_data) == (overdue.next_fire, overdue.zone_data)

    @pytest.mark.parametrize("now", [START, NOW])
    @pytest.mark.parametrize("schedule", ["0 9 * * *", "every 1 hour"])
    def test_resuming_is_refused_with_the_name_of_the_zone(self, zones, overdue, now, schedule):
        zones.change(CITY, PLUS_2)
        job = a_job_of_the_city(schedule, state={"status": JobStatus.PAUSED})
        zones.remove(CITY)
        with pytest.raises(ScheduleError, match=CITY):
            resume(job, (), 0, now, "id")

    def test_it_can_be_resumed_when_the_zone_is_back(self, zones, overdue):
        commit = pause(overdue, (), self.NOW, Ids())
        assert commit is not None
        zones.change(CITY, PLUS_1)
        again = resume(commit.job, (), 0, self.NOW, "id")
        assert again is not None
        assert again.job is not None
        assert (again.job.status, again.job.next_fire) == (JobStatus.ACTIVE, self.NOW + 8 * HOUR)
        assert again.new == ()

    def test_deleting_records_the_one_instant_that_is_known(self, overdue):
        (row,) = delete(overdue, (), self.NOW, Ids()).new
        assert (row.status, row.reason, row.scheduled) == (ExecutionStatus.MISSED, Reason.DELETED, START + 7 * HOUR)

    def test_another_zone_mends_it(self, overdue):
        after = edited(overdue, {"timezone": "Asia/Tokyo"}, now=self.NOW)
        assert after is not None
        assert (after.status, after.status_reason) == (JobStatus.ACTIVE, None)
        assert (after.next_fire, after.zone_data) == (self.NOW + DAY, zone_data("Asia/Tokyo"))
        (row,) = reschedule(overdue, after, self.NOW, Ids()).new
        assert (row.status, row.reason, row.scheduled) == (ExecutionStatus.MISSED, Reason.EDITED, START + 7 * HOUR)

    def test_so_it_does_where_the_schedule_itself_says_the_zone(self, zones):
        job = a_job_of_the_city(f"every day at 9am in {CITY}")
        zones.remove(CITY)
        after = edited(job, {"timezone": "Asia/Tokyo"}, now=self.NOW)
        assert after is not None
        assert (after.timezone, after.schedule_value) == ("Asia/Tokyo", "every day at 09:00")

    def test_an_edit_that_asks_for_no_zone_is_made_and_others_name_it(self, overdue):
        assert edited(overdue, {"name": "another"}, now=self.NOW) is not None
        for changes in {"schedule": "0 10 * * *"}, {"end_at": "2030-01-01"}, {"timezone": CITY}:
            with pytest.raises(AuroraError, match=CITY):
                edited(overdue, changes, now=self.NOW)

    def test_a_run_by_hand_is_free_to_have_any_instant(self, overdue):
        assert is_free(overdue, START + 7 * HOUR)

    def test_the_third_death_of_its_process_deactivates_it(self, overdue):
        active = replace(overdue, status=JobStatus.ACTIVE, retry_count=3)
        row = a_row(active, ExecutionStatus.RUNNING)
        commit = recover(active, (), 0, row, 2, self.NOW, new_id=Ids())
        assert commit.job is not None
        assert (commit.job.status, commit.job.next_fire) == (JobStatus.DEACTIVATED, None)
        assert [row.scheduled for row in commit.new] == [START + 7 * HOUR]

    def test_a_file_that_is_no_zone_stops_nothing_either(self, zones, overdue):
        (zones.directory / CITY).write_bytes(b"TZif, but no more")
        zones.forget()
        assert is_outdated(overdue)
        with pytest.raises(ScheduleError):
            renewed(overdue, self.NOW)
        assert len(delete(overdue, (), self.NOW, Ids()).new) == 1


def test_jobs_that_nothing_is_known_of_are_made_known_by_coming():
    job = replace(a_job("0 9 * * *"), zone_data=None, next_wall=None)
    assert coming(job, job.next_fire) == replace(job, zone_data=zone_data("UTC"), next_wall=job.next_fire)
