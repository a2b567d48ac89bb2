"""`aurora backup` and `aurora doctor`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from aurora_scheduler import CronService
from cli.conftest import on


def doctor(aurora, database):
    """What was found, by what was looked at; and the exit code."""
    result = aurora("doctor", "--db", database, "--json")
    return {each["what"]: (each["state"], each["detail"]) for each in json.loads(result.stdout)}, result.exit_code


def change(database, statement):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute(statement)


def test_a_backup_is_a_database_with_the_same_jobs(aurora, database, tmp_path):
    result = aurora("backup", "copy.db", "--db", database)
    assert result.exit_code == 0
    assert "copy.db" in result.stdout
    ids = [job["id"] for job in json.loads(aurora("list", "--db", "copy.db", "--json").stdout)]
    assert ids == ["first", "second", "third"]


def test_a_backup_never_writes_over_a_file(aurora, database, tmp_path):
    (tmp_path / "copy.db").write_text("precious")
    result = aurora("backup", "copy.db", "--db", database)
    assert result.exit_code == 1
    assert "name a new file" in result.stderr
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_where_all_is_well_the_doctor_says_so(aurora, database):
    found, code = doctor(aurora, database)
    assert code == 0
    assert found["integrity"][0] == found["schema"][0] == found["overdue"][0] == found["zone data"][0] == "ok"
    assert found["owner"] == ("note", "no process fires the jobs just now")
    assert found["jobs"] == ("ok", "2 active, 1 paused")
    assert "state" in aurora("doctor", "--db", database).stdout.lower()


def test_who_fires_is_named_and_goes_on(aurora, database):
    with CronService(database, timezone="UTC") as cron:
        cron.run_job("first", wait=True)
        found, _ = doctor(aurora, database)
        assert found["owner"][0] == "ok"
        assert "fires the jobs" in found["owner"][1]
        assert cron.run_job("first", wait=True).status == "succeeded"


def test_what_is_overdue_is_a_note_where_nobody_fires_and_wrong_where_somebody_does(aurora, database):
    change(database, "UPDATE aurora_jobs SET next_fire = next_fire - 864000000000 WHERE id = 'first'")
    found, code = doctor(aurora, database)
    assert (code, found["overdue"]) == (0, ("note", "hello"))


def test_a_job_whose_callback_is_gone_is_named_with_the_reason(aurora, database):
    change(database, "UPDATE aurora_jobs SET status = 'unresolved', status_reason = 'gone' WHERE id = 'second'")
    found, code = doctor(aurora, database)
    assert code == 1
    assert found["unresolved"] == ("wrong", "hello: gone")


def test_a_damaged_index_is_found(aurora, database):
    change(database, "PRAGMA writable_schema = ON")
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("PRAGMA writable_schema = ON")
        sql.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(job_id, id)', '(job_name, id)') "
            "WHERE name = 'aurora_executions_by_job'"
        )
    found, code = doctor(aurora, database)
    assert code == 1
    assert found["integrity"][0] == "wrong"
    assert "aurora_executions_by_job" in found["integrity"][1]


def test_nothing_is_changed(aurora, database):
    before = database.read_bytes()
    doctor(aurora, database)
    assert database.read_bytes() == before


@pytest.mark.parametrize("command", [["doctor"], ["backup", "copy.db"]])
def test_a_database_that_there_is_not_is_not_made(aurora, tmp_path, command):
    result = aurora(*command, "--db", "nowhere.db")
    assert result.exit_code == 1
    assert "there is no database at" in result.stderr
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    "command", [["doctor"], ["list"], ["add", "every 1 hour", "--name", "x", "--callback", "os.getcwd"]]
)
def test_a_directory_is_no_database(aurora, command):
    result = aurora(*command, "--db", ".")
    assert result.exit_code == 1
    assert "is a directory" in result.stderr


def test_the_facades_make_backups_too(tmp_path):
    async def copy(manager):
        await manager.create_job(name="j", schedule="every 1 hour", callback="os.getcwd", job_id="j")
        await manager.backup(tmp_path / "copy.db")

    on(tmp_path / "jobs.db", copy)
    with CronService(tmp_path / "copy.db") as cron:
        assert cron.get_job("j") is not None
        cron.backup(str(tmp_path / "another.db"))
    assert (tmp_path / "another.db").exists()
