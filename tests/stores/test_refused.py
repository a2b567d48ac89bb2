"""Good SQLite files that are refused all the same: nothing in them, and nothing beside them, is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aurora_scheduler.errors import ForeignTablesError, NewerSchemaError, StoreCorruptError, StoreError
from aurora_scheduler.stores import SqliteStore
from stores.making import insert, make_job


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of ours, with a job in it."""
    path = tmp_path / "jobs.db"
    store = SqliteStore(str(path))
    store.open()
    insert(store, make_job())
    store.close()
    return path


def contents(path: Path) -> dict[str, bytes]:
    """The file and its log, as they are on the disk. What SQLite needs to read the log may come and go."""
    return {each.name: each.read_bytes() for each in path.parent.glob("jobs.db*") if each.suffix in (".db", ".db-wal")}


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for statement in statements:
            sql.execute(statement)


def change_and_die(path: Path, *statements: str) -> None:
    """The same by a program that is killed: all of it is in the log still."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA wal_autocheckpoint = 0")
        for statement in statements:
            sql.execute(statement)
        left = contents(path)
    for name, data in left.items():
        path.with_name(name).write_bytes(data)
    assert path.with_name("jobs.db-wal").stat().st_size > 0


REASONS: dict[str, tuple[type[StoreError], str]] = {
    "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('aurora_scheduler', '99_later', '')": (
        NewerSchemaError,
        "version 99",
    ),
    "DELETE FROM _sqlite_migrations": (ForeignTablesError, "aurora_jobs"),
    "DELETE FROM _sqlite_migrations WHERE name LIKE '1%'": (StoreCorruptError, "lacks steps"),
    "UPDATE _sqlite_migrations SET name = NULL WHERE name LIKE '2%'": (StoreCorruptError, "no names"),
    "ALTER TABLE _sqlite_migrations RENAME COLUMN name TO title": (ForeignTablesError, "_sqlite_migrations"),
    "ALTER TABLE aurora_jobs DROP COLUMN next_wall": (StoreCorruptError, "aurora_jobs is not as it was made"),
    "ALTER TABLE aurora_executions RENAME COLUMN owner TO holder": (StoreCorruptError, "aurora_executions is not as"),
    "DROP TABLE aurora_job_changes": (StoreCorruptError, "aurora_job_changes is not as it was made"),
}


@pytest.mark.parametrize("by", [change, change_and_die], ids=["closed", "with a log"])
@pytest.mark.parametrize("statement", REASONS)
def test_a_database_that_is_refused_keeps_each_byte_and_its_log(path, statement, by):
    by(path, statement)
    before = contents(path)
    kind, reason = REASONS[statement]
    with pytest.raises(StoreError, match=reason) as refused:
        SqliteStore(str(path)).open()
    assert type(refused.value) is kind
    assert str(path) in str(refused.value)
    assert contents(path) == before


def test_a_view_in_the_place_of_the_record_of_steps_is_refused(tmp_path):
    path = tmp_path / "jobs.db"
    change(path, "CREATE VIEW _sqlite_migrations AS SELECT 1 AS id, 2 AS migration_set, 3 AS name, 4 AS applied_at")
    before = contents(path)
    with pytest.raises(ForeignTablesError, match="it is a view"):
        SqliteStore(str(path)).open()
    assert contents(path) == before


def test_what_a_kill_left_in_the_log_is_there_when_nothing_is_refused(path):
    change_and_die(path, "UPDATE aurora_jobs SET name = 'in the log'")
    store = SqliteStore(str(path))
    store.open()
    assert [job.name for job in store.jobs()] == ["in the log"]
    store.close()
    assert not path.with_name("jobs.db-wal").exists()
