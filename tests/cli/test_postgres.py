"""The commands on a database that a server has: they say the same as on a file."""

from __future__ import annotations

import json

import psycopg
import pytest
from click.testing import CliRunner

from aurora_scheduler import CronService
from aurora_scheduler.cli import main
from cli.conftest import on


@pytest.fixture
def filled(url):
    """Two jobs, one of which has run."""

    async def fill(manager):
        await manager.create_job(
            name="hello",
            schedule="every 1 hour",
            callback="cli.samples.greet",
            callback_args={"name": "Ada"},
            job_id="a",
        )
        await manager.create_job(name="rest", schedule="0 9 * * *", callback="cli.samples.nothing", job_id="b")
        await manager.run_job("a", wait=True)

    on(url, fill)
    return url


def tables(url):
    with psycopg.connect(url) as sql:
        return [name for (name,) in sql.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


def test_jobs_and_history_are_shown_and_changed(aurora, filled):
    jobs = json.loads(aurora("list", "--db", filled, "--json").stdout)
    assert [job["id"] for job in jobs] == ["a", "b"]
    (row,) = json.loads(aurora("history", "--db", filled, "--json").stdout)
    assert row["status"] == "succeeded"
    assert aurora("pause", "hello", "--db", filled).exit_code == 0
    assert [job["id"] for job in json.loads(aurora("list", "--db", filled, "--status", "paused", "--json").stdout)] == [
        "a"
    ]


def test_the_environment_names_the_database(filled):
    result = CliRunner().invoke(main, ["list", "--json"], env={"AURORA_SCHEDULER_DB": filled})
    assert [job["id"] for job in json.loads(result.stdout)] == ["a", "b"]


def test_a_command_that_only_looks_makes_no_tables(aurora, url):
    for command in (["list"], ["doctor"], ["history"], ["backup", "copy.db"]):
        result = aurora(*command, "--db", url)
        assert result.exit_code == 1
        assert "no scheduler has ever used this database" in result.stderr
    assert tables(url) == []


def test_the_first_job_makes_them(aurora, url):
    added = aurora("add", "every 1 hour", "--name", "x", "--callback", "cli.samples.nothing", "--db", url)
    assert added.exit_code == 0, added.stderr
    assert "aurora_jobs" in tables(url)
    assert [job["name"] for job in json.loads(aurora("list", "--db", url, "--json").stdout)] == ["x"]


def test_the_doctor_says_how_it_is_and_who_fires(aurora, filled):
    def found():
        result = aurora("doctor", "--db", filled, "--json")
        return {each["what"]: (each["state"], each["detail"]) for each in json.loads(result.stdout)}

    at_rest = found()
    assert at_rest["database"][0] == "ok"
    assert at_rest["database"][1].startswith("postgresql://")
    assert at_rest["schema"] == ("ok", "version 1")
    assert at_rest["owner"] == ("note", "no process fires the jobs just now")
    assert at_rest["jobs"] == ("ok", "2 active")
    assert "integrity" not in at_rest, "nobody has looked"
    with CronService(filled) as cron:
        cron.run_job("a", wait=True)
        state, detail = found()["owner"]
    assert state == "ok"
    assert "fires the jobs" in detail


def test_the_doctor_tells_of_jobs_that_no_process_is_for(aurora, filled):
    def found():
        result = aurora("doctor", "--db", filled, "--json")
        return {each["what"]: (each["state"], each["detail"]) for each in json.loads(result.stdout)}

    with CronService(filled, node_tags=["big"]) as cron:
        cron.run_job("a", wait=True)
        assert found()["node tags"] == ("ok", "for every job there is a process")
        cron.schedule_relative(
            name="train", relative_time="every 1 hour", callback="os.getcwd", job_id="c", node_tag="gpu"
        )
        cron.schedule_relative(
            name="other", relative_time="every 1 hour", callback="os.getcwd", job_id="d", node_tag="big"
        )
        assert found()["node tags"] == ("wrong", "no process has the node_tag of train (gpu)")
        shown = json.loads(aurora("show", "train", "--db", filled, "--json").stdout)
        assert shown["options"]["node_tag"] == "gpu"


def test_a_backup_is_a_file_that_can_be_looked_at_without_a_server(aurora, filled, tmp_path):
    assert aurora("backup", "copy.db", "--db", filled).exit_code == 0
    assert [job["id"] for job in json.loads(aurora("list", "--db", "copy.db", "--json").stdout)] == ["a", "b"]


def test_jobs_are_completed(filled):
    words = {"COMP_WORDS": f"aurora show --db {filled} he", "COMP_CWORD": "4", "_AURORA_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(main, [], env=words, prog_name="aurora")
    assert "hello" in result.stdout


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/jobs", "it cannot be reached"),
        ("postgresql://me:s3cret@[::1/jobs", "it must be like"),
    ],
)
def test_where_nobody_answers_that_is_said_and_the_password_is_not(aurora, address, told):
    for command in (["list"], ["doctor"], ["add", "every 1 hour", "--name", "x", "--callback", "os.getcwd"]):
        result = aurora(*command, "--db", address)
        assert result.exit_code == 1
        assert told in result.stderr
        assert "s3cret" not in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql+psycopg://bob:s3cret@h/x", "leave out +psycopg"),
        ("postgresq://bob:s3cret@h/x", "there is no store for postgresq://"),
        (" postgresql://bob:s3cret@h/x", "there is a blank before it"),
        ("postgresql://bob:1/s3cret@h/x", "there is a / before the @"),
        ("postgresql:bob:s3cret@h/x", ":// is missing"),
        ("host=h dbname=e3 password=s3cret", "key=value is not accepted"),
        ("bob:s3cret@h/x", "'bob:***@h/x'"),
    ],
)
def test_what_is_no_address_is_refused_and_the_password_is_not_shown(aurora, tmp_path, address, told):
    for command in (
        *(["list", "--db", address], ["doctor", "--db", address], ["migrate", address, "new.db"]),
        ["add", "every 1 hour", "--name", "x", "--callback", "os.getcwd", "--db", address],
    ):
        result = aurora(*command)
        assert result.exit_code == 1
        assert (told if command[0] != "add" else "database") in result.stderr
        assert "s3cret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_the_driver_it_is_said_how_to_get_it(aurora, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "aurora_scheduler.stores.postgres", None)
    monkeypatch.delattr("aurora_scheduler.stores.postgres", raising=False)
    result = aurora("list", "--db", "postgresql://me:s3cret@host/jobs")
    assert result.exit_code == 1
    assert 'pip install "aurora-scheduler[postgres]"' in result.stderr
    assert "s3cret" not in result.stderr
