"""`aurora list` and `aurora history`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import anyio
import pytest

from aurora_scheduler import JobStatus, SchedulerManager
from cli.conftest import on


def test_list_shows_every_job_in_aligned_columns(aurora, database):
    result = aurora("list", "--db", database)
    head, *lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr, len(lines)) == (0, "", 3)
    assert [line[: head.index("SCHEDULE")].strip() for line in lines] == ["hello", "hello", "rest"]
    assert [line[head.index("ID") :] for line in lines] == ["first", "second", "third"]
    assert "0 9 * * 1-5" in lines[0]
    assert "hello, Ada" in lines[0]
    assert "paused" in lines[2]


def test_list_takes_a_status_and_a_tag(aurora, database):
    def names(*words):
        return [job["id"] for job in json.loads(aurora("list", "--db", database, "--json", *words).stdout)]

    assert names() == ["first", "second", "third"]
    assert names("--status", "paused") == ["third"]
    assert names("--tag", "nightly") == ["third"]
    assert names("--tag", "nightly", "--status", "active") == []


def test_json_of_jobs_has_all_there_is_to_know(aurora, database):
    first, *_ = json.loads(aurora("list", "--db", database, "--json").stdout)
    assert first["callback_args"] == {"name": "Ada"}
    assert first["callback"] == "cli.samples:greet"
    assert first["last_run_result"] == {"success": True, "message": "hello, Ada"}
    assert first["next_run_time"].endswith("09:00:00+00:00")


def test_an_empty_database_is_said_to_be_empty_beside_the_output(aurora, tmp_path):
    on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    for command, words in [("list", "no jobs"), ("history", "no executions")]:
        result = aurora(command, "--db", "jobs.db")
        assert (result.exit_code, result.stdout, result.stderr.strip()) == (0, "", words)
        assert json.loads(aurora(command, "--db", "jobs.db", "--json").stdout) == []


def test_history_is_newest_first(aurora, database):
    result = aurora("history", "--db", database)
    _, *lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert [("failed" in line, "succeeded" in line) for line in lines] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--job", "first"], ["first"]),
        (["--job", "hello"], ["second", "first"]),
        (["--job", "hello", "--limit", "1"], ["second"]),
        (["--job", "rest"], []),
        (["--status", "succeeded"], ["first"]),
        (["--status", "succeeded", "--job", "second"], []),
    ],
)
def test_history_takes_a_job_by_id_or_name_a_status_and_a_limit(aurora, database, words, ids):
    rows = json.loads(aurora("history", "--db", database, "--json", *words).stdout)
    assert [row["job_id"] for row in rows] == ids


def test_the_history_of_a_deleted_job_is_still_shown_by_its_id(aurora, database):
    on(database, lambda manager: manager.delete_job("first"))
    rows = json.loads(aurora("history", "--db", database, "--job", "first", "--json").stdout)
    assert [row["result"]["message"] for row in rows] == ["hello, Ada"]


def test_an_unknown_job_is_an_error_in_one_line(aurora, database):
    result = aurora("history", "--db", database, "--job", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("aurora: no job has the id or the name 'nobody'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["list", "history"])
@pytest.mark.parametrize("named", ["jobs.db", "nowhere/jobs.db", "sqlite:///jobs.db"])
def test_no_database_comes_into_being_by_looking_at_it(aurora, tmp_path, command, named):
    result = aurora(command, "--db", named)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("aurora: there is no database at ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [":memory:", "sqlite://", "postgresql://host/jobs", "redis://host", ""])
def test_what_cannot_be_a_database_file_is_an_error_in_one_line(aurora, tmp_path, named):
    result = aurora("list", "--db", named)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("aurora: ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_left_as_it_is(aurora, tmp_path):
    (tmp_path / "jobs.db").write_text("a diary")
    result = aurora("list", "--db", "jobs.db")
    assert result.exit_code == 1
    assert "it is not an SQLite database" in result.stderr
    assert (tmp_path / "jobs.db").read_text() == "a diary"


def test_the_database_is_that_of_the_environment_else_the_one_here(aurora, database, tmp_path, monkeypatch):
    assert "aurora_scheduler.db" in aurora("list").stderr
    monkeypatch.setenv("AURORA_SCHEDULER_DB", "jobs.db")
    assert "hello" in aurora("list").stdout
    monkeypatch.setenv("AURORA_SCHEDULER_DB", "")
    assert "aurora_scheduler.db" in aurora("list").stderr
    assert "hello" in aurora("list", "--db", f"sqlite:///{database}").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--status", "asleep"],
        ["history", "--status", "asleep"],
        ["history", "--limit", "0"],
        ["history", "--limit", "few"],
        ["list", "more"],
        ["lost"],
        ["list", "--colour"],
    ],
)
def test_wrong_usage_ends_with_2(aurora, words):
    result = aurora(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: aurora" in result.stderr


def test_what_a_callback_raised_cannot_touch_the_terminal(aurora, database):
    shown = aurora("history", "--db", database, "--status", "failed").stdout
    assert r"two\nlines, and \x1b[31mred" in shown
    assert "\x1b" not in shown
    assert "\x1b" not in aurora("history", "--db", database, "--json").stdout


def test_a_name_cannot_touch_the_terminal_however_it_came_to_be(aurora, database):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("UPDATE aurora_jobs SET name = ? WHERE id = 'first'", ("a\nb\x1b]0;c\x07\u202ed",))
    shown = aurora("list", "--db", database).stdout
    assert r"a\nb\x1b]0;c\x07\u202ed" in shown
    assert len(shown.splitlines()) == 4
    escaped = aurora("list", "--db", database, "--json").stdout
    assert escaped.isascii()
    assert json.loads(escaped)[0]["name"] == "a\nb\x1b]0;c\x07\u202ed"


def test_looking_fires_nothing_and_takes_nothing_over(aurora, database):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("UPDATE aurora_jobs SET next_fire = 1 WHERE status = 'active'")
    before = aurora("history", "--db", database, "--json").stdout
    assert aurora("list", "--db", database).exit_code == 0
    assert aurora("history", "--db", database, "--json").stdout == before


def test_looking_leaves_the_log_of_a_scheduler_at_work_alone(aurora, database):
    """What the scheduler has committed since the last checkpoint is in that file, and nowhere else."""
    log = database.with_name("jobs.db-wal")
    looks = [sys.executable, "-m", "aurora_scheduler.cli", "list", "--db", str(database)]

    async def work(manager):
        await manager.run_job("first", wait=True)
        before = log.stat().st_ino
        await anyio.to_thread.run_sync(lambda: subprocess.run(looks, check=True, stdout=subprocess.DEVNULL))
        return log.exists() and log.stat().st_ino == before

    assert on(database, work)


def test_the_statuses_that_are_accepted_are_those_there_are(aurora):
    assert "|".join(JobStatus) in aurora("list", "--help").stdout.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("command", ["list", "history", "next", "demo"])
def test_every_command_has_examples(aurora, command):
    result = aurora(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.stdout
    assert f"  aurora {command}" in result.stdout
    assert f"  {command} " in aurora("--help").stdout


def test_the_version_is_that_of_the_distribution(aurora):
    assert aurora("--version").stdout.startswith("aurora, version ")


def test_the_library_does_not_need_the_command_line():
    asks = "import sys, aurora_scheduler; print(sorted({'click', 'rich', 'aurora_scheduler.cli'} & sys.modules.keys()))"
    said = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    # `sqlite-utils` may bring click along; the command line itself comes only when it is asked for.
    assert "aurora_scheduler.cli" not in said.stdout
    assert "rich" not in said.stdout


def test_a_terminal_without_the_letters_of_a_name_shows_them_escaped(database, tmp_path):
    on(database, lambda manager: rename(manager, "Ωmega"))
    command = [sys.executable, "-m", "aurora_scheduler.cli", "list", "--db", str(database)]
    result = subprocess.run(
        command, capture_output=True, check=False, env={"PYTHONIOENCODING": "latin-1"}, cwd=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert rb"\u03a9mega" in result.stdout


async def rename(manager: SchedulerManager, name: str) -> None:
    await manager.update_job("first", name=name)


@pytest.mark.parametrize("content", ["another program's tables", "nothing"])
@pytest.mark.parametrize("command", ["list", "history"])
def test_a_file_that_no_scheduler_has_used_is_named_and_left_as_it_is(aurora, tmp_path, command, content):
    path = tmp_path / "shop.db"
    path.touch()
    if content != "nothing":
        with closing(sqlite3.connect(path)) as sql:
            sql.execute("CREATE TABLE customers (name)")
    before = path.read_bytes()
    result = aurora(command, "--db", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(path) in result.stderr
    assert "nothing was created" in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["shop.db"]
    assert path.read_bytes() == before


def test_our_tables_in_an_applications_own_database_are_listed(aurora, tmp_path):
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("CREATE TABLE customers (name)")
    on(path, lambda manager: manager.create_job(name="x", schedule="every 1 hour", callback="cli.samples.nothing"))
    assert [job["name"] for job in json.loads(aurora("list", "--db", path, "--json").stdout)] == ["x"]
