"""`aurora add` and `aurora edit`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cli.conftest import on

WHERE = ["--db", "new.db"]
LOOK = ["--name", "look", "--callback", "os.getcwd"]


def job(path, job_id):
    return on(path, lambda manager: manager.get_job(job_id))


def test_a_job_is_added_and_the_database_made(aurora, tmp_path):
    result = aurora(
        "add", "0 9 * * 1-5", *LOOK, "--id", "look", "--tz", "Europe/Berlin", "--tag", "a", "--tag", "b", *WHERE
    )
    assert result.exit_code == 0
    assert result.stdout.startswith("look (look) is active; it fires next at 20")
    made = job(tmp_path / "new.db", "look")
    assert (made.schedule_value, made.timezone, made.tags) == ("0 9 * * 1-5", "Europe/Berlin", ("a", "b"))


def test_arguments_and_options_are_json_where_they_can_be(aurora, tmp_path):
    aurora(
        "add", "every 1 hour", "--name", "greet", "--callback", "cli.samples.greet", "--id", "g", "--arg", "name=Ada",
        "--set", "max_retries=5", "--set", "timeout=2 minutes", "--set", 'exclude_dates=["2030-12-25"]', *WHERE,
    )  # fmt: skip
    made = job(tmp_path / "new.db", "g")
    assert made.callback_args == {"name": "Ada"}
    assert (made.max_retries, made.timeout.total_seconds(), len(made.exclude_dates)) == (5, 120, 1)


def test_hooks_and_a_ping_are_options_and_are_shown_and_taken_away(aurora, tmp_path):
    said = ["on_failure=support.hooks.failed", "ping=https://example.org/token?rid=1"]
    words = [word for option in said for word in ("--set", option)]
    assert aurora("add", "every 1 hour", *LOOK, "--id", "look", *words, *WHERE).exit_code == 0
    made = job(tmp_path / "new.db", "look")
    assert (made.on_failure, made.ping) == ("support.hooks:failed", "https://example.org/token?rid=1")
    shown = aurora("show", "look", *WHERE).stdout
    assert "support.hooks:failed" in shown
    assert "https://example.org/token?rid=1" in shown
    assert aurora("edit", "look", "--set", "on_failure=null", "--set", "ping=null", *WHERE).exit_code == 0
    made = job(tmp_path / "new.db", "look")
    assert (made.on_failure, made.ping) == (None, None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["every blue moon", *LOOK], 1, "'every blue moon'"),
        (["every 1 hour", "--name", "x", "--callback", "no.such"], 1, "no"),
        (["every 1 hour", *LOOK, "--set", "colour=red"], 1, "colour"),
        (["every 1 hour", *LOOK, "--set", "on_failure=no.such"], 1, "on_failure='no.such'"),
        (["every 1 hour", *LOOK, "--set", "ping=example.org"], 1, "ping='example.org'"),
        (["every 1 hour", *LOOK, "--set", "max_retries"], 2, "'max_retries' is not of the form NAME=VALUE"),
        (["every 1 hour", *LOOK, "--arg", "path=/"], 1, "path"),
    ],
)
def test_what_cannot_be_is_refused_and_named(aurora, tmp_path, words, code, said):
    result = aurora("add", *words, *WHERE)
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_an_id_that_is_taken_is_refused_unless_it_is_said_what_then(aurora):
    again = ["add", "every 1 hour", *LOOK, "--id", "look", *WHERE]
    assert aurora(*again).exit_code == 0
    assert "look" in aurora(*again).stderr
    assert aurora(*again, "--if-exists", "keep").exit_code == 0


def test_a_file_of_somebody_elses_is_left_alone(aurora, tmp_path):
    (tmp_path / "letter.txt").write_text("dear all, " * 1000)
    result = aurora("add", "every 1 hour", *LOOK, "--db", "letter.txt")
    assert result.exit_code == 1
    assert (tmp_path / "letter.txt").read_text().startswith("dear all")


def test_several_that_make_the_same_database_at_once_all_add_their_job(tmp_path):
    command = [sys.executable, "-m", "aurora_scheduler.cli", "add", "every 1 hour", *LOOK, "--db", "new.db"]
    processes = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(on(tmp_path / "new.db", lambda manager: manager.get_all_jobs())) == 4


def test_edit_changes_what_is_said_and_nothing_else(aurora, database):
    result = aurora(
        "edit", "first", "--schedule", "every 2 hours", "--set", "max_retries=7", "--db", database, "--json"
    )
    told = json.loads(result.stdout)
    assert (told["schedule_value"], told["max_retries"], told["callback_args"]) == ("every 2 hours", 7, {"name": "Ada"})
    assert aurora("edit", "first", "--arg", "name=Eve", "--name", "greet", "--db", database).exit_code == 0
    assert job(database, "first").callback_args == {"name": "Eve"}
    assert job(database, "first").name == "greet"


def test_an_edit_that_changes_nothing_says_so(aurora, database):
    result = aurora("edit", "first", "--db", database)
    assert result.exit_code == 1
    assert "nothing was said that is to change" in result.stderr


def test_a_running_scheduler_finds_callbacks_of_the_directory_it_is_started_in(aurora, tmp_path, monkeypatch):
    (tmp_path / "jobs_of_mine.py").write_text("def work():\n    return 'done'\n")
    assert aurora("add", "every 1 hour", "--name", "w", "--callback", "jobs_of_mine.work", *WHERE).exit_code == 0


def test_a_command_is_a_job(aurora, tmp_path):
    words = ["add", "every 1 hour", "--name", "disk", "--id", "d", "--env", "A=1", "--cwd", ".", *WHERE]
    assert aurora(*words, "--", "df", "-h", "--output=size", "/").exit_code == 0
    made = job(tmp_path / "new.db", "d")
    assert str(made.callback) == "aurora_scheduler.programs:run"
    assert made.callback_args == {
        "command": ["df", "-h", "--output=size", "/"],
        "environment": {"A": "1"},
        "directory": str(tmp_path),
    }
    row = on(tmp_path / "new.db", lambda manager: manager.run_job("d", wait=True))
    assert row.status == "succeeded"
    assert row.result["exit_status"] == 0


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--", "/bin/df", "-h"], "df"),
        (["--shell", "--", "cd / && /bin/df -h | sort"], "df"),
        (["--shell", "--", " "], "command"),
        (["--name", "disk", "--", "df"], "disk"),
    ],
)
def test_a_command_without_a_name_is_called_like_its_program(aurora, tmp_path, words, name):
    assert aurora("add", "every 1 hour", "--id", "x", *WHERE, *words).exit_code == 0
    assert job(tmp_path / "new.db", "x").name == name


def test_a_job_that_is_no_command_needs_a_name(aurora, tmp_path):
    result = aurora("add", "every 1 hour", "--callback", "os.getcwd", *WHERE)
    assert result.exit_code == 2
    assert "say by --name what people call the job" in result.stderr
    assert not (tmp_path / "new.db").exists()


def test_where_a_command_runs_is_a_directory_that_there_is(aurora, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "file").touch()
    assert aurora("add", "every 1 hour", "--id", "x", *WHERE, "--", "pwd").exit_code == 0
    assert aurora("edit", "x", "--cwd", "work", *WHERE).exit_code == 0
    assert job(tmp_path / "new.db", "x").callback_args == {"command": ["pwd"], "directory": str(tmp_path / "work")}
    for command in (["add", "every 1 hour"], ["edit", "x"]):
        for wrong, said in (("nowhere", "'nowhere' does not exist"), ("file", "'file' is a file")):
            result = aurora(*command, "--cwd", wrong, *WHERE, *(["--", "pwd"] if command[0] == "add" else []))
            assert result.exit_code == 2
            assert said in result.stderr


def test_only_a_command_runs_in_a_directory(aurora, database, tmp_path):
    result = aurora("edit", "first", "--cwd", tmp_path, "--db", database)
    assert result.exit_code == 1
    assert "--cwd is for jobs that are a command, and 'hello' calls cli.samples:greet" in result.stderr


def test_arguments_that_do_not_fit_are_told_with_the_callbacks_name(aurora):
    said = aurora("add", "every 1 hour", *LOOK, "--arg", "path=/", *WHERE).stderr
    assert "cannot use the callback 'os:getcwd'" in said
    assert "<" not in said


def test_an_unknown_option_of_an_edit_is_told_with_those_that_can_be_changed(aurora, database):
    said = aurora("edit", "first", "--set", "colour=red", "--db", database).stderr
    assert "the options are name, schedule, callback, callback_args, timezone, tags, max_retries" in said
    assert "job_id" not in said
    assert "if_exists" not in said


def test_what_is_set_goes_before_what_else_is_said(aurora, tmp_path):
    words = ["--set", "name=other", "--set", "job_id=y"]
    assert aurora("add", "every 1 hour", *LOOK, "--id", "x", *WHERE, *words).exit_code == 0
    assert job(tmp_path / "new.db", "y").name == "other"


def test_a_command_for_a_shell_is_one_text(aurora, tmp_path):
    words = ["add", "every 1 hour", "--name", "x", "--id", "x", "--shell", *WHERE]
    assert aurora(*words, "--", "echo a | tr a b").exit_code == 0
    assert job(tmp_path / "new.db", "x").callback_args == {"command": "echo a | tr a b"}
    refused = aurora(*words, "--", "echo", "a")
    assert refused.exit_code == 2
    assert "the command is one text" in refused.stderr


@pytest.mark.parametrize("more", [[], ["--callback", "os.getcwd", "--", "ls"]])
def test_a_job_does_one_thing(aurora, more):
    result = aurora("add", "every 1 hour", "--name", "x", *WHERE, *more)
    assert result.exit_code == 2
    assert "either --callback MODULE.FUNCTION, or a command after --" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("2030-05-28", "15:00", "--name", "x", "--", "ls"), "'15:00' does not stand after --"),
        (("every", "5", "minutes", "--name", "x", "--", "ls"), "'5' does not stand after --"),
        (("every 1 hour", "--name", "x", "echo", "hi"), "'echo' does not stand after --"),
        (("every 1 hour", "--arg", "days=1", "--", "ls"), "--arg is for a callback"),
        (("every 1 hour", "--name", "x", "--callback", "os.getcwd", "--shell"), "are for a command, after --"),
        (("every 1 hour", "--name", "x", "--callback", "os.getcwd", "--env", "A=1"), "are for a command, after --"),
        (("every 1 hour", "--name", "x", "--callback", "os.getcwd", "--cwd", "."), "are for a command, after --"),
    ],
)
def test_what_would_be_misunderstood_or_dropped_is_refused(aurora, tmp_path, words, said):
    result = aurora("add", *words, "--db", "jobs.db") if "--" not in words else aurora("add", "--db", "jobs.db", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
    assert not (tmp_path / "jobs.db").exists()


def test_a_command_may_have_dashes_of_its_own(aurora):
    added = json.loads(
        aurora("add", "every 1 hour", "--json", "--db", "jobs.db", "--", "git", "diff", "--", "a").stdout
    )
    assert added["callback_args"] == {"command": ["git", "diff", "--", "a"]}
