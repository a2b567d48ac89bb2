"""Databases that cannot be used: `initialize` says so, and leaves them as they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import pytest

from aurora_scheduler import (
    CronService,
    ForeignTablesError,
    NewerSchemaError,
    NotADatabaseError,
    OptionError,
    SchedulerManager,
    StoreError,
    StoreReadOnlyError,
)
from facades import callbacks


@pytest.mark.parametrize("name", [5, b"jobs.db", "", "  ", "a\0b", ["jobs.db"]], ids=repr)
@pytest.mark.parametrize("facade", [SchedulerManager, CronService])
def test_what_cannot_be_a_database(facade, name):
    with pytest.raises(OptionError, match="database="):
        facade(name)


@pytest.mark.parametrize("url", ["mysql://localhost/jobs", "mongodb://localhost/jobs", "http://example.org/jobs.db"])
def test_a_kind_of_database_that_there_is_not(url: str):
    with pytest.raises(StoreError, match="accepted: a path"):
        SchedulerManager(url)


def refused(backend: str, database: Path, error: type[StoreError]) -> str:
    """What `initialize` raises, and says."""
    with pytest.raises(error) as caught:
        anyio.run(SchedulerManager(database).initialize, backend=backend)
    assert type(caught.value) is error
    assert str(database) in str(caught.value)
    assert caught.value.path == str(database)
    return str(caught.value)


def test_a_directory_is_no_database(anyio_backend: str, tmp_path: Path):
    assert "directory" in refused(anyio_backend, tmp_path, NotADatabaseError)


def test_a_directory_that_there_is_not(anyio_backend: str, tmp_path: Path):
    assert "create it first" in refused(anyio_backend, tmp_path / "no" / "jobs.db", StoreError)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("content", [b"Dear diary", b"\0" * 4096, b"SQLite format 2\0" + b"x" * 100])
def test_a_file_that_is_no_database_is_left_as_it_is(anyio_backend: str, database: Path, content: bytes):
    database.write_bytes(content)
    assert "untouched" in refused(anyio_backend, database, NotADatabaseError)
    assert database.read_bytes() == content


def test_a_file_that_cannot_be_written(anyio_backend: str, database: Path):
    CronService(database).__enter__().shutdown()
    before = database.read_bytes()
    database.chmod(0o444)
    assert "read-only" in refused(anyio_backend, database, StoreReadOnlyError)
    assert database.read_bytes() == before


@pytest.mark.parametrize("table", ["aurora_jobs", "aurora_executions", "aurora_job_changes"])
def test_a_database_with_a_table_of_our_name_is_left_as_it_is(anyio_backend: str, database: Path, table: str):
    with sqlite3.connect(database) as sql:
        sql.execute(f"CREATE TABLE {table} (mine TEXT)")
        sql.execute(f"INSERT INTO {table} VALUES ('precious')")
    sql.close()
    before = database.read_bytes()
    assert table in refused(anyio_backend, database, ForeignTablesError)
    assert database.read_bytes() == before


def test_a_database_of_a_newer_release_is_left_as_it_is(anyio_backend: str, database: Path):
    CronService(database).__enter__().shutdown()
    sql = sqlite3.connect(database)
    (ledger,) = sql.execute("SELECT name FROM sqlite_master WHERE name LIKE '%migrations'").fetchone()
    columns = [row[1] for row in sql.execute(f"PRAGMA table_info({ledger})")]
    row = dict(zip(columns, sql.execute(f"SELECT * FROM {ledger}").fetchone(), strict=True))
    row |= {"name": "999_from_the_future"} | ({"id": 999} if "id" in row else {})
    sql.execute(f"INSERT INTO {ledger} VALUES ({', '.join('?' * len(row))})", list(row.values()))
    sql.commit()
    sql.close()
    before = database.read_bytes()
    message = refused(anyio_backend, database, NewerSchemaError)
    assert "999" in message
    assert "newer" in message
    assert database.read_bytes() == before


@pytest.mark.anyio
async def test_the_database_of_an_application_is_shared_and_its_tables_are_left_alone(
    anyio_backend: str, database: Path
):
    with sqlite3.connect(database) as sql:
        sql.execute("CREATE TABLE customers (name TEXT)")
        sql.execute("INSERT INTO customers VALUES ('Ada')")
    sql.close()
    async with SchedulerManager(database) as manager:
        job_id = await manager.create_job(name="x", schedule="every 1 hour", callback=callbacks.nothing)
        assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
    sql = sqlite3.connect(database)
    assert sql.execute("SELECT name FROM customers").fetchall() == [("Ada",)]
    tables = {name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    sql.close()
    assert {name for name in tables if name.startswith("aurora_")} == {
        "aurora_jobs", "aurora_executions", "aurora_job_changes",
    }  # fmt: skip
