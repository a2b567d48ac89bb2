"""A database moves from a file to a server and back: every row as it was, or none."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from aurora_scheduler import CronService
from support import cluster

TABLES = {"aurora_jobs": "rowid", "aurora_executions": "id", "aurora_job_changes": "number"}


def rows(path):
    """All rows, but for the numbers that a database gives itself."""
    with closing(sqlite3.connect(path)) as sql:
        return {
            table: [row[1:] if table == "aurora_job_changes" else row for row in _rows(sql, table, order)]
            for table, order in TABLES.items()
        }


def _rows(sql, table, order):
    return sql.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()


def test_there_and_back_every_row_is_as_it_was(aurora, database, url, tmp_path):
    there = aurora("migrate", database, url)
    assert there.exit_code == 0, there.stderr
    assert there.stdout.startswith("copied and compared: 3 jobs, 2 executions, ")
    back = aurora("migrate", url, tmp_path / "back.db")
    assert back.exit_code == 0, back.stderr
    assert back.stdout == there.stdout
    assert rows(tmp_path / "back.db") == rows(database)


def test_what_was_moved_fires_there(aurora, database, url):
    aurora("migrate", database, url)
    with CronService(url, timezone="UTC") as cron:
        assert [job.id for job in cron.get_all_jobs()] == ["first", "second", "third"]
        assert cron.run_job("first", wait=True).status == "succeeded"
        assert len(cron.get_executions("first")) == 2


def test_texts_that_a_server_cannot_hold_as_they_are_come_back_as_they_were(aurora, database, url, tmp_path):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("UPDATE aurora_jobs SET name = 'a' || char(0) || 'b' || char(1) WHERE id = 'first'")
    assert aurora("migrate", database, url).exit_code == 0
    assert aurora("migrate", url, tmp_path / "back.db").exit_code == 0
    assert rows(tmp_path / "back.db") == rows(database)


def test_many_rows(aurora, url, tmp_path):
    file = tmp_path / "many.db"
    with CronService(file) as cron:
        cron.schedule_relative(name="one", relative_time="every 1 hour", callback="cli.samples.nothing", job_id="one")
    with closing(sqlite3.connect(file)) as sql, sql:
        sql.executemany(
            "INSERT INTO aurora_executions VALUES"
            " (?, 'one', 1, 'one', 'UTC', ?, ?, 1, 1, 'schedule', 'succeeded', NULL, ?, ?, ?, NULL, NULL, NULL, 'me')",
            ((f"{number:032}", number, number, number, number, number) for number in range(10_000)),
        )
    assert "10,000 executions" in aurora("migrate", file, url).stdout
    assert aurora("migrate", url, tmp_path / "back.db").exit_code == 0
    assert rows(tmp_path / "back.db") == rows(file)


def test_while_somebody_fires_its_jobs_it_is_not_moved(aurora, database, url, tmp_path):
    with CronService(database) as cron:
        cron.run_job("first", wait=True)
        refused = aurora("migrate", database, url)
    assert refused.exit_code == 1
    assert "fires the jobs; stop it first" in refused.stderr
    assert aurora("migrate", database, url).exit_code == 0
    with CronService(url) as cron:
        cron.run_job("first", wait=True)
        refused = aurora("migrate", url, tmp_path / "back.db")
    assert refused.exit_code == 1
    assert "fires the jobs; stop it first" in refused.stderr


def test_what_has_jobs_already_is_not_written_to(aurora, database, url):
    other = cluster.database_url()
    aurora("add", "every 1 hour", "--name", "x", "--callback", "cli.samples.nothing", "--db", other)
    refused = aurora("migrate", database, other)
    assert refused.exit_code == 1
    assert "it has jobs or a history already" in refused.stderr
    assert '"x"' in aurora("list", "--db", other, "--json").stdout


def test_a_row_that_does_not_fit_leaves_nothing_behind(aurora, database, url):
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("UPDATE aurora_executions SET error = CAST(x'ff' AS TEXT) WHERE rowid = 1")
    refused = aurora("migrate", database, url)
    assert refused.exit_code == 1
    assert "a text in it is not UTF-8" in refused.stderr
    assert aurora("list", "--db", url, "--json").stdout.strip() == "[]"


@pytest.mark.parametrize(("source", "target"), [("nowhere.db", "new.db"), (":memory:", "new.db")])
def test_what_is_not_there_is_not_moved(aurora, tmp_path, source, target):
    refused = aurora("migrate", source, target)
    assert refused.exit_code == 1
    assert not (tmp_path / target).exists()
    assert "as FROM" in refused.stderr
    assert "--db" not in refused.stderr


def test_it_is_not_moved_onto_itself(aurora, database):
    refused = aurora("migrate", database, database)
    assert refused.exit_code == 1
    assert "give a new one" in refused.stderr
