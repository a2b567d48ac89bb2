"""The schema from one release to the next: an old database is brought up to date, and no row is lost on the way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aurora_scheduler.errors import NewerSchemaError
from aurora_scheduler.model import JobStatus, ScheduleType
from aurora_scheduler.stores import SqliteStore, migrations
from stores.making import run

FIRST = Path(__file__).with_name("schema_1.sql")


@pytest.fixture
def old(tmp_path) -> Path:
    """A database that the first schema made, with three jobs."""
    return made(tmp_path / "old.db")


def made(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(FIRST.read_text())
    connection.close()
    return path


def opened(path: Path) -> SqliteStore:
    store = SqliteStore(str(path))
    store.open()
    return store


def look(path: Path, statement: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def schema(path: Path) -> dict[str, object]:
    """What our tables are made of, whichever words made them."""
    columns = {name: look(path, f"SELECT * FROM pragma_table_xinfo('{name}')") for name in migrations.TABLES}
    strict = look(path, "SELECT name, type, strict FROM pragma_table_list WHERE name LIKE 'aurora_%' ORDER BY name")
    indexes = look(path, "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")
    return {**columns, "strict": strict, "indexes": indexes}


def test_an_old_database_becomes_the_same_as_a_new_one(old, tmp_path):
    opened(old).close()
    opened(tmp_path / "new.db").close()
    assert schema(old) == schema(tmp_path / "new.db")
    steps = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'aurora_scheduler' ORDER BY id"
    assert look(old, steps) == look(tmp_path / "new.db", steps) == [(name,) for name in migrations.KNOWN]


def test_its_jobs_and_their_history_are_all_there(old):
    store = opened(old)
    cron, interval, once = sorted(store.jobs(), key=lambda job: job.id)
    assert [job.schedule_value for job in (cron, interval, once)] == [
        "0 9 * * *",
        "every 1 hour",
        "2030-05-28 15:00:00",
    ]
    assert [job.schedule_type for job in (cron, interval, once)] == [
        ScheduleType.CRON,
        ScheduleType.RELATIVE,
        ScheduleType.ABSOLUTE,
    ]
    for job in cron, interval, once:
        assert (job.status, job.timezone, job.version) == (JobStatus.ACTIVE, "Europe/Berlin", 1)
        assert (job.zone_data, job.next_wall) == (None, None)
        assert job.next_fire is not None
    assert store.last_change() == 3
    store.close()


def test_it_is_done_once(old):
    opened(old).close()
    before = schema(old)
    for _ in range(3):
        opened(old).close()
    assert schema(old) == before


def test_several_programs_that_open_it_at_once_do_it_once(old):
    source = """
import sys, threading
from aurora_scheduler.stores import SqliteStore
def open_it():
    store = SqliteStore(sys.argv[1])
    store.open()
    jobs.append(len(store.jobs()))
    store.close()
jobs = []
threads = [threading.Thread(target=open_it) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(jobs)
"""
    assert run(source, old) == "[3, 3, 3, 3]"


def test_a_step_that_fails_leaves_the_database_as_it_was(old):
    before = schema(old)
    connection = sqlite3.connect(old)
    # A column of the last name is in the way of the last statement.
    connection.execute("ALTER TABLE aurora_jobs ADD COLUMN next_wall INTEGER")
    connection.commit()
    connection.close()
    with pytest.raises(Exception, match="next_wall"):
        opened(old)
    names = [row[1] for row in look(old, "SELECT * FROM pragma_table_xinfo('aurora_jobs')")]
    assert "zone_data" not in names
    connection = sqlite3.connect(old)
    connection.execute("ALTER TABLE aurora_jobs DROP COLUMN next_wall")
    connection.close()
    assert schema(old) == before
    opened(old).close()


def test_the_release_before_refuses_it_and_names_both_versions(old, monkeypatch):
    opened(old).close()
    newest = len(migrations.KNOWN)
    monkeypatch.setattr(migrations, "KNOWN", migrations.KNOWN[:-1])
    with pytest.raises(NewerSchemaError, match=f"version {newest}, and this release knows versions up to {newest - 1}"):
        opened(old)
