"""`aurora import-apscheduler`: with the real APScheduler, and its own store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import AndTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy.pool import NullPool

from cli.conftest import on
from cli.samples import greet, nothing

URL = "sqlite:///theirs.db"
LATER = datetime(2099, 5, 28, 15, tzinfo=UTC)


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Its scheduler, which only stores; what it has stored can be imported when it was called."""
    monkeypatch.chdir(tmp_path)
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(URL, engine_options={"poolclass": NullPool})}, timezone="Europe/Berlin"
    )

    def store():
        scheduler.start(paused=True)
        scheduler.shutdown()

    scheduler.store = store
    return scheduler


def imported(aurora, *words):
    result = aurora("import-apscheduler", URL, "--db", "ours.db", "--json", *words)
    assert result.exit_code == 0, result.output
    return {each["id"]: each for each in json.loads(result.stdout)}


def schedules(theirs, aurora, **triggers):
    for name, trigger in triggers.items():
        theirs.add_job(nothing, trigger, id=name)
    theirs.store()
    return {name: each.get("schedule", each.get("reason")) for name, each in imported(aurora, "--dry-run").items()}


def test_intervals_dates_and_cron_become_jobs_that_fire_at_the_same_time(theirs, aurora, tmp_path):
    theirs.add_job(nothing, "interval", hours=2, start_date=LATER, id="interval")
    theirs.add_job(nothing, "date", run_date=LATER, id="date")
    theirs.add_job(nothing, "cron", day_of_week="mon-fri", hour=9, minute=30, id="cron")
    theirs.store()
    assert {each["state"] for each in imported(aurora).values()} == {"imported"}
    ours = {job.id: job for job in on(tmp_path / "ours.db", lambda manager: manager.get_all_jobs())}
    assert ours["interval"].next_run_time == LATER
    assert ours["date"].next_run_time == LATER
    assert ours["cron"].next_run_time.strftime("%H:%M") == "09:30"
    their_next = CronTrigger(day_of_week="mon-fri", hour=9, minute=30, timezone="Europe/Berlin").get_next_fire_time(
        None, datetime.now(UTC)
    )
    assert ours["cron"].next_run_time == their_next


@pytest.mark.parametrize(
    ("fields", "schedule"),
    [
        ({"hour": 9}, "0 9 * * *"),
        ({"day_of_week": 0, "hour": 9}, "0 9 * * 1"),
        ({"day_of_week": "sun", "hour": 9}, "0 9 * * 0"),
        ({"day_of_week": "5-6", "hour": 9}, "0 9 * * 0,6"),
        ({"day_of_week": "*/2", "hour": 9}, "0 9 * * 0,1,3,5"),
        ({"day_of_week": "mon,wed-thu", "hour": 9}, "0 9 * * 1,3,4"),
        ({"minute": "*/5"}, "*/5 * * * *"),
        ({"minute": "10/20"}, "10-59/20 * * * *"),
        ({"hour": "9-17/2", "minute": 0}, "0 9-17/2 * * *"),
        ({"day": "last"}, "0 0 L * *"),
        ({"day": "3rd fri"}, "0 0 * * 5#3"),
        ({"day": "last sun"}, "0 0 * * 0L"),
        ({"month": "jan-mar", "day": 1}, "0 0 1 jan-mar *"),
    ],
)
def test_what_cron_can_say_is_said(theirs, aurora, fields, schedule):
    trigger = CronTrigger(**fields, timezone="Europe/Berlin")
    assert schedules(theirs, aurora, one=trigger) == {"one": schedule}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"second": 30}, "its second is '30', which cron cannot say"),
        ({"second": "*/10"}, "its second is '*/10', which cron cannot say"),
        ({"year": 2099}, "its year is '2099', which cron cannot say"),
        ({"week": 5}, "its week is '5', which cron cannot say"),
        ({"day": 13, "day_of_week": "fri"}, "it fires on days that are '13' and 'fri'; in cron that is either of them"),
        ({"day": "1st mon,15"}, "its day is '1st mon,15', which cron cannot say"),
    ],
)
def test_what_cron_cannot_say_is_refused_with_the_reason(theirs, aurora, fields, reason):
    trigger = CronTrigger(**{"second": 0, **fields}, timezone="Europe/Berlin")
    assert schedules(theirs, aurora, one=trigger) == {"one": reason}


def test_a_trigger_without_a_counterpart_is_refused(theirs, aurora):
    # An AndTrigger whose parts never meet is looked through to the year 9999: these two meet every day.
    hourly = IntervalTrigger(hours=1, start_date=datetime(2026, 1, 1, tzinfo=UTC), timezone="UTC")
    trigger = AndTrigger([hourly, CronTrigger(hour=9, timezone="UTC")])
    told = schedules(theirs, aurora, both=trigger, good=IntervalTrigger(hours=1, timezone="UTC"))
    assert told == {"both": "its trigger is a AndTrigger, which has no counterpart", "good": "every 3600 seconds"}


def test_arguments_are_passed_by_name(theirs, aurora, tmp_path):
    theirs.add_job(greet, "interval", hours=1, args=["Ada"], id="by place")
    theirs.add_job(greet, "interval", hours=1, kwargs={"name": "Eve"}, id="by name")
    theirs.add_job(greet, "interval", hours=1, args=[object], id="no JSON")
    theirs.store()
    told = imported(aurora)
    assert told["by place"]["callback_args"] == {"name": "Ada"}
    assert told["by name"]["callback_args"] == {"name": "Eve"}
    assert told["no JSON"]["state"] == "refused"
    row = on(tmp_path / "ours.db", lambda manager: manager.run_job("by place", wait=True))
    assert row.result["message"] == "hello, Ada"


def test_policies_are_carried_over(theirs, aurora, tmp_path):
    theirs.add_job(nothing, "interval", hours=1, id="plain", name="a name")
    theirs.add_job(nothing, "interval", hours=1, id="late", misfire_grace_time=300)
    theirs.add_job(nothing, "interval", hours=1, id="all", misfire_grace_time=None, coalesce=False)
    theirs.add_job(nothing, "interval", hours=1, id="beside", max_instances=3, jitter=30, end_date=LATER)
    theirs.store()
    told = imported(aurora)
    assert told["plain"]["notes"] == ["misfire_grace_time=1 is its default, and left out: what is late runs"]
    jobs = {job.id: job for job in on(tmp_path / "ours.db", lambda manager: manager.get_all_jobs())}
    assert (jobs["plain"].name, jobs["plain"].max_retries, jobs["plain"].misfire) == ("a name", 0, "run_once")
    assert (jobs["late"].misfire, jobs["late"].misfire_grace) == ("skip", timedelta(minutes=5))
    assert jobs["all"].misfire == "run_all"
    assert (jobs["beside"].overlap, jobs["beside"].max_instances) == ("allow", 3)
    assert (jobs["beside"].jitter, jobs["beside"].end_at) == (timedelta(seconds=30), LATER)


def test_what_is_paused_stays_so_and_a_second_import_changes_nothing(theirs, aurora, tmp_path):
    theirs.add_job(nothing, "interval", hours=1, start_date=LATER, id="runs")
    theirs.add_job(nothing, "interval", hours=1, start_date=LATER, id="rests", next_run_time=None)
    theirs.store()
    imported(aurora)
    before = on(tmp_path / "ours.db", lambda manager: manager.get_all_jobs())
    assert {job.id: job.status for job in before} == {"runs": "active", "rests": "paused"}
    imported(aurora)
    assert on(tmp_path / "ours.db", lambda manager: manager.get_all_jobs()) == before


def test_a_store_that_is_not_there_is_told_of(aurora):
    result = aurora("import-apscheduler", "sqlite:///nowhere.db", "--db", "ours.db")
    assert result.exit_code == 1
    assert "there is no file 'nowhere.db'" in result.stderr
    assert not Path("nowhere.db").exists()
    result = aurora("import-apscheduler", "nothing://nowhere", "--db", "ours.db")
    assert result.exit_code == 1
    assert "the jobs cannot be read from nothing://nowhere" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("url", ["nothing://bob:s3cret@nowhere", "postgresql:bob:s3cret@nowhere", "://bob:s3cret@h"])
def test_the_password_of_a_store_that_is_not_there_is_not_shown(aurora, url):
    result = aurora("import-apscheduler", url, "--db", "ours.db")
    assert result.exit_code == 1
    assert "the jobs cannot be read from" in result.stderr
    assert "s3cret" not in result.output
