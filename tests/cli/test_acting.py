"""`aurora pause`, `resume`, `trigger`, `delete`: beside the process that fires, and without one."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

from aurora_scheduler import CronService
from cli.conftest import on


def job(database, job_id):
    return on(database, lambda manager: manager.get_job(job_id))


@pytest.fixture
def fired(database):
    """The database is fired by another scheduler, until the end of the test."""
    with CronService(database, timezone="UTC") as cron:
        yield cron


def test_pause_and_resume(aurora, database):
    paused = aurora("pause", "first", "--db", database)
    assert (paused.exit_code, paused.stdout) == (0, "hello (first) is paused\n")
    assert job(database, "first").status == "paused"
    resumed = aurora("resume", "first", "--db", database)
    assert resumed.exit_code == 0
    assert resumed.stdout.startswith("hello (first) is active; it fires next at 20")
    assert job(database, "first").is_active


def test_to_pause_what_is_paused_says_the_same_again(aurora, database):
    assert aurora("pause", "third", "--db", database).stdout == "rest (third) is paused\n"


def test_a_job_without_a_firing_to_come_cannot_be_resumed(aurora, tmp_path):
    async def create(manager):
        await manager.create_job(name="once", schedule="in 1 second", callback="cli.samples.nothing", job_id="once")
        await manager.deactivate_job("once")
        await manager.update_job("once", end_at="2999-01-01")

    on(tmp_path / "jobs.db", create)
    time_over = aurora("resume", "once", "--db", "jobs.db")
    while time_over.exit_code == 0:  # its second is not over yet
        aurora("pause", "once", "--db", "jobs.db")
        time.sleep(0.1)
        time_over = aurora("resume", "once", "--db", "jobs.db")
    assert "job 'once' has no firing to come" in time_over.stderr


def test_trigger_asks_for_a_run_and_says_which(aurora, database):
    result = aurora("trigger", "rest", "--db", database, "--json")
    row = json.loads(result.stdout)
    assert (result.exit_code, row["status"], row["trigger"], row["job_id"]) == (0, "waiting", "manual", "third")


def test_trigger_waits_for_what_it_comes_to(aurora, database, fired):
    result = aurora("trigger", "first", "--wait", "--db", database, "--json")
    assert (result.exit_code, json.loads(result.stdout)["result"]["message"]) == (0, "hello, Ada")
    failed = aurora("trigger", "second", "--wait", "--db", database)
    assert failed.exit_code == 1
    assert "failed" in failed.stdout
    assert failed.stderr.startswith("aurora: failed: ")


def test_where_nobody_fires_waiting_comes_to_an_end_and_says_so(aurora, database):
    result = aurora("trigger", "first", "--wait", "--timeout", "0.3", "--db", database)
    assert result.exit_code == 1
    assert "has not ended after 300 ms; it runs as soon as a scheduler fires this database's jobs" in result.stderr


@pytest.mark.parametrize("command", [["trigger", "first", "--wait", "--timeout"], ["run", "--drain"]])
@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_what_is_no_number_of_seconds_is_wrong_usage(aurora, database, command, seconds):
    assert aurora(*command, seconds, "--db", database).exit_code == 2


def test_an_unresolved_job_is_not_resumed_and_the_reason_is_told(aurora, database):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("UPDATE aurora_jobs SET status = 'unresolved', status_reason = 'gone', callback_module = 'no.such'")
    result = aurora("resume", "first", "--db", database)
    assert result.exit_code == 1
    assert "job 'hello' is unresolved: gone; when it is there" in result.stderr


def test_a_running_scheduler_follows_what_is_done(aurora, database, fired):
    assert aurora("pause", "second", "--db", database).exit_code == 0
    assert fired.get_job("second").status == "paused"


def test_delete_asks_first_and_keeps_the_history(aurora, database):
    asked = aurora("delete", "first", "--db", database)
    assert asked.exit_code == 1
    assert "Delete job 'hello' (first)?" in asked.stderr
    assert job(database, "first") is not None
    done = aurora("delete", "first", "--yes", "--db", database)
    assert (done.exit_code, done.stdout) == (0, "deleted hello (first)\n")
    assert job(database, "first") is None
    assert len(json.loads(aurora("history", "--job", "first", "--db", database, "--json").stdout)) == 1
