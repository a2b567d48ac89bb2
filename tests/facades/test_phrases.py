"""Jobs whose schedules are said in words: what is stored, in which zone, and within which limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest

from aurora_scheduler import CronService, OptionError, ScheduleError, SchedulerManager, next_fire_times

CALLBACK = "facades.callbacks.nothing"


@pytest.fixture
def cron(database) -> Iterator[CronService]:
    with CronService(database, timezone="America/New_York") as service:
        yield service


def test_a_phrase_is_stored_in_its_canonical_text(cron):
    job_id = cron.schedule_from_text(name="report", schedule_text="Every  MONDAY at 8am", callback=CALLBACK)
    job = cron.get_job(job_id)
    assert (job.schedule_type, job.schedule_value, job.timezone) == (
        "phrase",
        "every monday at 08:00",
        "America/New_York",
    )
    assert job.next_run_time == next_fire_times("every monday at 08:00", "America/New_York", count=1)[0]
    assert cron.get_job_status(job_id)["schedule_type"] == "phrase"


def test_a_single_time_is_stored_as_its_date(cron):
    tomorrow = next_fire_times("tomorrow at noon", "America/New_York", count=1)[0]
    job = cron.get_job(cron.schedule_absolute(name="call", absolute_time="tomorrow at noon", callback=CALLBACK))
    assert (job.schedule_type, job.next_run_time) == ("absolute", tomorrow)
    assert job.schedule_value == f"{tomorrow:%Y-%m-%d} 12:00:00"


def test_an_amount_may_have_parts(cron):
    before = datetime.now(UTC)
    job = cron.get_job(cron.schedule_relative(name="tea", relative_time="in 1h30m", callback=CALLBACK))
    assert (job.schedule_type, job.schedule_value) == ("relative", "in 1 hour 30 minutes")
    assert timedelta(minutes=89) < job.next_run_time - before < timedelta(minutes=91)


@pytest.mark.anyio
async def test_the_zone_that_a_text_says_is_the_jobs(manager):
    text = "every day at 9am in asia/tokyo"
    job_id = await manager.create_job(name="news", schedule=text, callback=CALLBACK, timezone="Europe/Berlin")
    job = await manager.get_job(job_id)
    assert (job.timezone, job.schedule_value) == ("Asia/Tokyo", "every day at 09:00 in Asia/Tokyo")
    assert (job.next_run_time.hour, job.next_run_time.utcoffset()) == (9, timedelta(hours=9))
    job = await manager.update_job(job_id, timezone="Europe/Berlin")
    assert (job.timezone, job.schedule_value, job.next_run_time.hour) == ("Europe/Berlin", "every day at 09:00", 9)
    assert job.next_run_time.tzinfo.key == "Europe/Berlin"
    job = await manager.update_job(job_id, schedule="every day at 10am in UTC")
    assert (job.timezone, job.next_run_time.hour) == ("UTC", 10)
    job = await manager.update_job(job_id, schedule="every day at 11am")
    assert (job.timezone, job.schedule_value, job.next_run_time.hour) == ("UTC", "every day at 11:00", 11)


@pytest.mark.anyio
async def test_a_job_keeps_to_its_limits_over_a_restart(database, anyio_backend):
    first, second, third = (moment.date() for moment in next_fire_times("every day at 09:00", "UTC", count=3))
    limits = {"exclude_dates": [str(second), first, first], "only_between": ("9am", time(17))}
    async with SchedulerManager(database, timezone="UTC") as manager:
        id_ = await manager.create_job(name="a", schedule="every day at 09:00", callback=CALLBACK, **limits)
        created = await manager.get_job(id_)
    async with SchedulerManager(database, timezone="UTC") as manager:
        job = await manager.get_job(id_)
        assert job == created
        assert job.exclude_dates == (first, second)
        assert job.only_between == (time(9), time(17))
        assert job.next_run_time == datetime.combine(third, time(9), UTC)
        assert (await manager.update_job(id_, exclude_dates=[second])).next_run_time.date() == first
        assert (await manager.update_job(id_, exclude_dates=None)).exclude_dates == ()


@pytest.mark.anyio
async def test_changed_limits_keep_the_anchor_of_an_interval(manager):
    id_ = await manager.create_relative_job(
        name="a", relative_time="every 7 minutes", callback_module="facades.callbacks", callback_function="nothing"
    )
    anchor = (await manager.get_job(id_)).anchor
    assert (await manager.update_job(id_, exclude_dates=[date(2030, 12, 25)])).anchor == anchor


@pytest.mark.anyio
async def test_limits_that_leave_nothing_are_refused_and_change_nothing(manager):
    working_hours = {"only_between": ("09:00", "17:00")}
    with pytest.raises(ScheduleError, match=r"never fire \(only_between is 09:00 to 17:00\)"):
        await manager.create_job(name="a", schedule="0 8 * * *", callback=CALLBACK, **working_hours)
    id_ = await manager.create_job(name="a", schedule="0 8 * * *", callback=CALLBACK)
    job = await manager.get_job(id_)
    with pytest.raises(ScheduleError, match="never fire"):
        await manager.update_job(id_, **working_hours)
    with pytest.raises(OptionError, match="exclude_dates"):
        await manager.update_job(id_, exclude_dates=["someday"])
    assert await manager.get_job(id_) == job


def test_a_phrase_that_is_misspelt_stores_nothing_and_offers_another(cron):
    with pytest.raises(ScheduleError) as caught:
        cron.schedule_from_text(name="a", schedule_text="every mondai at 9am", callback=CALLBACK)
    assert caught.value.nearest == "every monday at 09:00"
    assert cron.get_all_jobs() == []


def test_a_call_for_one_kind_names_the_one_for_phrases(cron):
    with pytest.raises(ScheduleError, match="it is a phrase; use schedule_from_text, or create_job"):
        cron.schedule_relative(name="a", relative_time="every day at 9am", callback=CALLBACK)
