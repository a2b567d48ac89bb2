"""`aurora show` and `aurora why`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest


def lines_of(result):
    """What was shown, by the word that each line begins with."""
    return {line.split("  ")[0]: line for line in result.stdout.splitlines() if line and not line.startswith(" ")}


def test_show_tells_the_schedule_in_words_and_the_next_five_firings(aurora, database):
    result = aurora("show", "first", "--db", database)
    shown = lines_of(result)
    assert (result.exit_code, result.stderr) == (0, "")
    assert shown["schedule"].endswith("0 9 * * 1-5")
    assert shown["in words"].endswith("at 09:00 on weekdays, in UTC")
    assert shown["arguments"].endswith('{"name": "Ada"}')
    assert shown["callback"].endswith("cli.samples:greet")
    assert shown["last run"].endswith(": hello, Ada")
    firings = [line for line in result.stdout.splitlines() if line.endswith("09:00:00+00:00") and "20" in line]
    assert len(firings) == 5
    assert "the last of its history" in result.stdout
    assert "succeeded" in result.stdout


def test_show_finds_a_job_by_its_name_too(aurora, database):
    assert lines_of(aurora("show", "rest", "--db", database))["id"].endswith("third")


def test_of_several_jobs_with_one_name_it_asks_for_an_id(aurora, database):
    result = aurora("show", "hello", "--db", database)
    assert result.exit_code == 1
    assert "2 jobs are called 'hello'; say by its id which is meant: 'first', 'second'" in result.stderr


@pytest.mark.parametrize("command", [["show"], ["why", "--at", "2030-01-01"], ["pause"], ["resume"], ["trigger"]])
def test_a_job_that_there_is_not_is_told_of(aurora, database, command):
    result = aurora(*command, "nobody", "--db", database)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no job has the id or the name 'nobody'" in result.stderr


def test_show_tells_what_is_special_about_a_job_and_nothing_else(aurora, database):
    shown = aurora("show", "second", "--db", database).stdout
    assert "on_exhausted" in shown
    assert "overlap" not in shown
    assert "tags          nightly" in aurora("show", "third", "--db", database).stdout


def test_json_of_one_job(aurora, database):
    told = json.loads(aurora("show", "second", "--db", database, "--json").stdout)
    assert told["options"] == {"max_retries": 0, "on_exhausted": "continue"}
    assert told["description"].startswith("every 1 hour")
    assert len(told["next_run_times"]) == 5
    assert told["next_run_times"][0] == told["next_run_time"]
    assert [row["status"] for row in told["executions"]] == ["failed"]


def test_a_paused_job_has_no_firing_to_come(aurora, database):
    assert "none" in lines_of(aurora("show", "third", "--db", database))["next firings"]


def test_why_says_what_became_of_a_firing(aurora, database):
    row = json.loads(aurora("history", "--db", database, "--job", "first", "--json").stdout)[0]
    result = aurora("why", "first", "--at", row["scheduled_for"], "--db", database)
    assert result.exit_code == 0
    assert "succeeded" in result.stdout
    told = json.loads(aurora("why", "first", "--at", row["scheduled_for"], "--db", database, "--json").stdout)
    assert told["verdict"] == "succeeded"
    assert [each["id"] for each in told["executions"]] == [row["id"]]


def test_why_says_why_there_was_none(aurora, database):
    told = json.loads(aurora("why", "first", "--at", "2099-01-03 09:00", "--db", database, "--json").stdout)
    assert told["verdict"] == "no_instant", "it is a Saturday"
    aurora("pause", "first", "--db", database)
    told = json.loads(aurora("why", "first", "--at", "2099-01-05 09:00", "--db", database, "--json").stdout)
    assert told["verdict"] == "paused"


def test_a_time_that_is_none_is_told_with_what_is_one(aurora, database):
    result = aurora("why", "first", "--at", "soon", "--db", database)
    assert result.exit_code == 1
    assert "cannot use the time 'soon'" in result.stderr
    assert "2030-05-28" in result.stderr
    assert "schedule" not in result.stderr


def test_why_can_be_asked_of_now(aurora, database):
    """The minute that it is: what is told depends on when this runs, and something is."""
    told = json.loads(aurora("why", "first", "--at", "now", "--db", database, "--json").stdout)
    asked = datetime.fromisoformat(told["asked_for"])
    assert abs(datetime.now(UTC) - asked) < timedelta(hours=1)
    assert told["verdict"]


def test_control_characters_of_an_error_do_nothing_to_a_terminal(aurora, database):
    """The callback raises two lines, one of them in red."""
    row = json.loads(aurora("history", "--db", database, "--job", "second", "--json").stdout)[0]
    for command in (["show"], ["why", "--at", row["scheduled_for"]]):
        shown = aurora(*command, "second", "--db", database).output
        assert "RuntimeError" in shown
        assert "\x1b" not in shown
