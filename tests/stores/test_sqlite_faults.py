"""SQLite: what goes wrong while a store is open, in our words; and that it works again when the fault is gone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_scheduler.errors import (
    NotADatabaseError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.ports import Computed
from aurora_scheduler.stores import SqliteStore
from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.migrations import TABLES
from stores.making import add, insert, make_execution, make_job


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def store(path) -> Iterator[SqliteStore]:
    made = SqliteStore(str(path))
    made.open()
    insert(made, make_job("before"))
    yield made
    made.close()


def pragma(store, text):
    return store._connection.execute(f"PRAGMA {text}").fetchone()


def works(store):
    """Whether a write goes through, and leaves everything else as it was."""
    insert(store, make_job("after"))
    return [job.id for job in store.jobs()] == ["before", "after"]


def big(number):
    return make_execution(number, status=ExecutionStatus.FAILED, traceback="x" * 1_000_000)


def test_a_full_database_is_unavailable_until_there_is_room(store):
    (pages,) = pragma(store, "page_count")
    pragma(store, f"max_page_count = {pages + 5}")
    with pytest.raises(StoreUnavailableError, match="room"):
        add(store, big(1))
    assert store.executions() == []
    assert works(store), "what is small still fits"
    pragma(store, "max_page_count = 1000000")
    add(store, big(1))
    assert store.executions() == [big(1)]


def test_a_full_database_undoes_the_whole_transaction_whatever_savepoint_it_was_in(store):
    """SQLite itself ends the transaction then; the error that ends it here must not hide behind another."""
    (pages,) = pragma(store, "page_count")
    pragma(store, f"max_page_count = {pages + 5}")

    def fill():
        with store.transaction():
            with store.savepoint():
                store.insert(make_job("in the first"))
            with store.savepoint():
                store.insert(make_job("in the second"))
                store._connection.execute("UPDATE aurora_jobs SET name = hex(zeroblob(1000000))")

    with pytest.raises(StoreUnavailableError, match="room"):
        fill()
    pragma(store, "max_page_count = 1000000")
    assert [job.id for job in store.jobs()] == ["before"]
    assert works(store)


def test_a_database_that_another_program_holds_is_unavailable_until_it_lets_go(store, path):
    pragma(store, "busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        insert(store, make_job("not now"))
    assert [job.id for job in store.jobs()] == ["before"], "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert works(store)


def test_a_store_that_may_not_write_says_so_until_it_may(store):
    pragma(store, "query_only = 1")
    with pytest.raises(StoreReadOnlyError, match="permissions"):
        insert(store, make_job("not now"))
    pragma(store, "query_only = 0")
    assert works(store)


def test_a_damaged_page_is_told_as_damage(path):
    store = SqliteStore(str(path))
    store.open()
    insert(store, *(make_job(str(number), name="x" * 1000) for number in range(200)))
    (page_size,), (pages,) = pragma(store, "page_size"), pragma(store, "page_count")
    store.close()
    data = bytearray(path.read_bytes())
    for page in range(20, pages):
        data[page * page_size : page * page_size + 100] = b"\xff" * 100
    path.write_bytes(data)
    store = SqliteStore(str(path))
    store.open()
    with pytest.raises(StoreCorruptError, match="backup"):
        store.jobs()
    store.close()


READS = {
    "job": lambda store: store.job("before"),
    "jobs": lambda store: store.jobs(),
    "snapshot": lambda store: store.snapshot("before"),
    "snapshots_of": lambda store: store.snapshots_of(["before"]),
    "nearest": lambda store: store.nearest(1),
    "latest": lambda store: store.latest(),
    "computed_with": lambda store: store.computed_with(),
    "jobs_computed_with": lambda store: store.jobs_computed_with(Computed("UTC", None, "relative")),
    "orphans": lambda store: store.orphans("me"),
    "cancelling": lambda store: store.cancelling(),
    "execution": lambda store: store.execution("x"),
    "executions": lambda store: store.executions(),
    "is_recorded": lambda store: store.is_recorded("before", 1, 1),
    "last_change": lambda store: store.last_change(),
    "changes_since": lambda store: store.changes_since(0),
    "crowded": lambda store: store.crowded(1, "", 1),
    "fired_since": lambda store: store.fired_since("", 1),
    "next_generation": lambda store: store.next_generation("before"),
}


@pytest.mark.parametrize("read", READS)
def test_whatever_is_read_outside_a_transaction_its_fault_is_an_error_of_the_store(store, path, read):
    """Who reads beside the writer, or from the command line, should never meet an error of SQLite's."""
    for table in TABLES:
        store._connection.execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match=r"jobs\.db"):
        READS[read](store)


@pytest.mark.parametrize("what", ["moved away", "replaced"])
def test_a_file_that_is_no_longer_where_it_was_takes_no_more_writes(store, path, what):
    """SQLite itself raises nothing: it goes on writing to a file that nobody will ever find."""
    path.rename(path.with_name("elsewhere.db"))
    if what == "replaced":
        os.close(os.open(path, os.O_CREAT, 0o600))
    with pytest.raises(StoreError):
        insert(store, make_job("lost"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_BUSY", StoreUnavailableError),
        ("SQLITE_BUSY_SNAPSHOT", StoreUnavailableError),
        ("SQLITE_LOCKED", StoreUnavailableError),
        ("SQLITE_FULL", StoreUnavailableError),
        ("SQLITE_IOERR_WRITE", StoreUnavailableError),
        ("SQLITE_IOERR_FSYNC", StoreUnavailableError),
        ("SQLITE_READONLY", StoreReadOnlyError),
        ("SQLITE_READONLY_DIRECTORY", StoreReadOnlyError),
        ("SQLITE_READONLY_DBMOVED", StoreError),
        ("SQLITE_NOTADB", NotADatabaseError),
        ("SQLITE_CORRUPT", StoreCorruptError),
        ("SQLITE_CORRUPT_INDEX", StoreCorruptError),
        ("SQLITE_CANTOPEN", StoreError),
        ("SQLITE_MISUSE", StoreError),
        ("", StoreError),
    ],
)
def test_faults_are_told_apart_by_name_and_name_the_file(name, kind):
    error = sqlite3.OperationalError("as SQLite says it")
    if name:
        error.sqlite_errorname = name
    with pytest.raises(StoreError) as told, translated("/var/jobs.db"):
        raise error
    assert type(told.value) is kind
    assert told.value.path == "/var/jobs.db"
    assert "/var/jobs.db" in str(told.value)
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("x"), StoreError("x", "y"), KeyboardInterrupt()], ids=repr)
def test_what_is_no_fault_of_sqlites_passes_as_it_is(error):
    with pytest.raises(type(error)) as passed, translated("/var/jobs.db"):
        raise error
    assert passed.value is error
