"""SQLite: which files are taken, how ours look, and that what is not ours is refused untouched."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from aurora_scheduler.errors import (
    ForeignTablesError,
    NewerSchemaError,
    NotADatabaseError,
    OptionError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
)
from aurora_scheduler.model import Change, ChangeKind, Commit
from aurora_scheduler.stores import SqliteStore, open_store
from aurora_scheduler.stores.migrations import KNOWN, TABLES
from stores.making import NOW, OWNER, add, insert, make_execution, make_job


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "jobs.db"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def contents(directory):
    """Every file in a directory, with its bytes."""
    return {each.name: each.read_bytes() for each in directory.iterdir() if each.is_file()}


def opened(path) -> SqliteStore:
    store = SqliteStore(str(path))
    store.open()
    return store


def sql(path, *statements):
    """Run statements in the file as another application would, with a connection of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return [connection.execute(statement).fetchall() for statement in statements][-1]
    finally:
        connection.close()


# Ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_the_files_we_make_are_for_their_owner_only(path, umask):
    before = os.umask(umask)
    try:
        store = opened(path)
        store.own(OWNER)
        insert(store, make_job())
        modes = {each.name: oct(mode(each)) for each in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert {"jobs.db", "jobs.db-wal", "jobs.db-aurora.lock", "jobs.db-aurora.owner"} <= set(modes)
    assert set(modes.values()) == {oct(0o600)}


def test_a_file_behind_a_symbolic_link_is_made_for_its_owner_only_too(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere.db")
    opened(path).close()
    assert mode(tmp_path / "elsewhere.db") == 0o600


def test_the_permissions_of_a_file_that_is_there_stay(path):
    path.touch(0o640)
    path.chmod(0o640)
    opened(path).close()
    assert mode(path) == 0o640


def test_an_empty_file_is_a_new_database(path):
    path.touch()
    store = opened(path)
    insert(store, make_job())
    assert store.jobs() == [make_job()]
    store.close()


def test_what_was_committed_is_there_when_it_is_opened_again(path):
    store = opened(path)
    insert(store, make_job())
    add(store, make_execution())
    store.close()
    store = opened(path)
    assert (store.jobs(), store.executions()) == ([make_job()], [make_execution()])
    store.close()


def test_our_tables_are_strict_and_all_there(path):
    opened(path).close()
    strict = dict(sql(path, "SELECT name, strict FROM pragma_table_list WHERE name LIKE 'aurora%'"))
    assert strict == dict.fromkeys(TABLES, 1)


def test_every_name_of_ours_says_so(path):
    """Tables and indexes may live among an application's own."""
    opened(path).close()
    names = [name for (name,) in sql(path, "SELECT name FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'")]
    assert all(name.startswith("aurora_") or "_sqlite_migrations" in name for name in names), names


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_durability_says_how_a_commit_is_made(path, durability, synchronous):
    store = SqliteStore(str(path), durability=durability)
    store.open()
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    store.close()


def test_another_durability_is_refused(path):
    with pytest.raises(OptionError, match="full"):
        SqliteStore(str(path), durability="off")


def test_an_open_store_can_be_opened_by_another_and_each_sees_the_others_commits(path):
    first, second = opened(path), opened(path)
    insert(first, make_job("1"))
    insert(second, make_job("2"))
    assert [job.id for job in first.jobs()] == [job.id for job in second.jobs()] == ["1", "2"]
    first.close()
    second.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_owner_is_not_told_again_of_what_was_changed_through_its_own_store(path):
    def change(job_id):
        return Change(job_id=job_id, generation=1, at=NOW, kind=ChangeKind.CREATED)

    ours, other = opened(path), opened(path)
    ours.own(OWNER)
    with ours.transaction():
        ours.insert_all([make_job("a"), make_job("b")], [change("a"), change("b")])
        ours.insert(make_job("c"))
        ours.record(change("c"))
    assert list(ours.notes.touched) == ["a", "b", "c"]
    with other.transaction():
        other.insert(make_job("d"))
        other.record(change("d"))
    assert list(ours.changes_since(0)[1]) == ["d"]
    assert list(other.changes_since(0)[1]) == ["a", "b", "c", "d"]
    ours.close()
    other.close()


def test_closed_it_leaves_no_log_behind(path):
    store = opened(path)
    insert(store, make_job())
    store.close()
    assert {each.name for each in path.parent.iterdir()} <= {"jobs.db", "jobs.db-aurora.lock", "jobs.db-aurora.owner"}


def test_a_reader_sees_what_was_committed_and_a_database_in_memory_has_none(path):
    store = opened(path)
    reader = store.reader()
    assert reader is not None
    reader.open()
    with store.transaction():
        store.insert(make_job())
        assert reader.jobs() == []
    assert reader.jobs() == [make_job()]
    reader.close()
    store.close()
    assert SqliteStore(":memory:").reader() is None


# Beside an application's own tables -------------------------------------------------------------------------------

APPLICATION = (
    "PRAGMA user_version = 42",
    "PRAGMA application_id = 4711",
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name, secret BLOB)",
    "CREATE INDEX customers_by_name ON customers (name)",
    "CREATE TABLE jobs (id, name)",
    "CREATE VIEW names AS SELECT name FROM customers",
    "INSERT INTO customers VALUES (1, 'Ada', x'00ff10'), (2, NULL, 1.5), (3, 'a' || char(0) || 'b', '')",
    "INSERT INTO jobs VALUES (1, 'the application''s own')",
)


def test_an_applications_tables_are_never_touched(path):
    def theirs():
        ours = "tbl_name GLOB 'aurora_*' OR tbl_name GLOB '_sqlite_*' OR tbl_name GLOB 'sqlite_*'"
        return [
            sql(path, "PRAGMA user_version"),
            sql(path, "PRAGMA application_id"),
            sql(path, f"SELECT name, tbl_name, sql FROM sqlite_schema WHERE NOT ({ours}) ORDER BY name"),
            sql(path, "SELECT id, hex(name), typeof(name), hex(secret), typeof(secret) FROM customers"),
            sql(path, "SELECT rowid, * FROM jobs"),
            sql(path, "SELECT * FROM names"),
        ]

    sql(path, *APPLICATION)
    before = theirs()
    store = opened(path)
    insert(store, make_job())
    add(store, make_execution())
    with store.transaction():
        store.remove(make_job())
    store.close()
    assert theirs() == before


def test_an_application_may_keep_migrations_of_its_own(path):
    sql(
        path,
        "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)",
        "INSERT INTO _sqlite_migrations VALUES (1, 'shop', '99_newest', '2030-01-01')",
    )
    store = opened(path)
    insert(store, make_job())
    store.close()
    assert sql(path, "SELECT name FROM _sqlite_migrations WHERE migration_set = 'shop'") == [("99_newest",)]
    opened(path).close()


# Not ours ---------------------------------------------------------------------------------------------------------

MAGIC = b"SQLite format 3\0"


@pytest.mark.parametrize(
    "data",
    [
        b"Dear diary,\n",
        b"\n",
        b"\0",
        bytes(range(256)) * 40,
        b"SQLite format 2\0" + bytes(4080),
        MAGIC[:-1],
        b"** This file contains an SQLite 2.1 database **",
    ],
    ids=["text", "a line", "a NUL", "bytes", "another format", "cut short", "SQLite 2"],
)
def test_a_file_that_is_no_database_is_refused_untouched(path, data):
    path.write_bytes(data)
    with pytest.raises(NotADatabaseError, match=r"jobs\.db"):
        opened(path)
    assert contents(path.parent) == {"jobs.db": data}


@pytest.mark.parametrize(
    "data", [MAGIC, MAGIC + b"and then it rambles on " * 500, MAGIC + bytes(200)], ids=["head only", "text", "zeros"]
)
def test_a_file_that_only_begins_like_a_database_is_refused_untouched(path, data):
    path.write_bytes(data)
    with pytest.raises((NotADatabaseError, StoreCorruptError)):
        opened(path)
    assert path.read_bytes() == data


def test_a_damaged_schema_is_told_and_left(path):
    opened(path).close()
    data = bytearray(path.read_bytes())
    data[100:200] = b"\xff" * 100
    path.write_bytes(data)
    with pytest.raises(StoreCorruptError, match="backup"):
        opened(path)
    assert path.read_bytes() == data


def test_a_directory_is_refused(path):
    path.mkdir()
    with pytest.raises(NotADatabaseError, match="directory"):
        opened(path)
    assert [each.name for each in path.parent.iterdir()] == ["jobs.db"]


def test_a_pipe_is_refused_and_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(NotADatabaseError, match="regular file"):
        opened(path)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"nowhere.*create it"):
        opened(tmp_path / "nowhere" / "jobs.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_directory_is_told(path):
    path.write_text("a file")
    with pytest.raises(StoreError):
        opened(path / "jobs.db")
    assert contents(path.parent) == {"jobs.db": b"a file"}


def test_a_file_without_permission_to_write_is_refused_even_to_root(path):
    opened(path).close()
    for each in path.parent.iterdir():
        if each != path:
            each.unlink()
    before = path.read_bytes()
    path.chmod(0o444)
    with pytest.raises(StoreReadOnlyError, match="read-only"):
        opened(path)
    assert contents(path.parent) == {"jobs.db": before}
    assert mode(path) == 0o444


@pytest.mark.parametrize("name", ["aurora_jobs", "aurora_executions", "aurora_job_changes"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE {name} (id TEXT PRIMARY KEY, theirs TEXT)",
        "CREATE TABLE {upper} (id TEXT PRIMARY KEY, theirs TEXT)",
        "CREATE VIEW {name} AS SELECT 1 AS id",
    ],
    ids=["table", "TABLE", "view"],
)
def test_tables_of_our_names_that_are_not_ours_are_refused_untouched(path, statement, name):
    """SQLite's names have no case, and a view takes a table's name."""
    sql(path, statement.format(name=name, upper=name.upper()))
    before = path.read_bytes()
    with pytest.raises(ForeignTablesError, match="(?i)" + name):
        opened(path)
    assert path.read_bytes() == before
    assert not path.with_name("jobs.db-wal").exists()


def test_a_newer_schema_is_refused_untouched_with_both_versions_named(path):
    opened(path).close()
    sql(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('aurora_scheduler', '123_from_the_future', '2040-01-01')",
    )
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError) as refused:
        opened(path)
    newest = max(int(name.partition("_")[0]) for name in KNOWN)
    assert "version 123" in str(refused.value)
    assert f"up to {newest}" in str(refused.value)
    assert path.read_bytes() == before
    assert not path.with_name("jobs.db-wal").exists()


def refuse_foreign(path):
    sql(path, "CREATE TABLE aurora_jobs (id)")


@pytest.mark.parametrize("prepare", [refuse_foreign, lambda path: path.write_text("text")], ids=["tables", "text"])
def test_a_refused_store_keeps_no_file_open(path, prepare):
    """A service that tries again every second would run out of descriptors."""
    prepare(path)
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(StoreError):
            opened(path)
    assert len(os.listdir("/dev/fd")) <= before


def test_a_store_that_was_refused_can_be_opened_when_the_reason_is_gone(path):
    sql(path, "CREATE TABLE aurora_jobs (id)")
    store = SqliteStore(str(path))
    with pytest.raises(ForeignTablesError):
        store.open()
    sql(path, "ALTER TABLE aurora_jobs RENAME TO theirs")
    store.open()
    insert(store, make_job())
    store.close()


def test_a_lock_file_that_cannot_be_made_is_told_as_an_error_of_the_store(path):
    path.with_name("jobs.db-aurora.lock").mkdir()
    with pytest.raises(StoreError, match=r"aurora\.lock"):
        opened(path)


# What users write -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("jobs.db", "jobs.db"),
        (Path("some/jobs.db"), "some/jobs.db"),
        ("/var/jobs.db", "/var/jobs.db"),
        ("sqlite:///jobs.db", "jobs.db"),
        ("SQLite:///jobs.db", "jobs.db"),
        ("sqlite:////var/jobs.db", "/var/jobs.db"),
        (":memory:", ":memory:"),
        ("sqlite://", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("~/jobs.db", str(Path("~/jobs.db").expanduser())),
        ("a file with ünusual näme?.db", "a file with ünusual näme?.db"),
    ],
)
def test_a_database_is_named_by_path_or_url(given, path):
    store = open_store(given)
    assert store.path == path
    assert store.in_memory == (path == ":memory:")


@pytest.mark.parametrize("url", ["mysql://host/jobs", "http://example.org/jobs.db", "redis://", "file://jobs.db"])
def test_another_kind_of_database_is_refused_with_what_is_accepted(url):
    with pytest.raises(StoreError, match=r"there is no store for .*accepted: .*sqlite:///"):
        open_store(url)


@pytest.mark.parametrize(
    "given", ["", "  ", "jobs\0.db", "sqlite:///jobs\0.db", 5, b"jobs.db", ["jobs.db"], True], ids=repr
)
def test_what_is_no_path_is_refused_as_an_option(given):
    with pytest.raises(OptionError, match="database=") as refused:
        open_store(given)
    assert refused.value.option == "database"


def test_the_environment_names_the_database_that_is_not_given(monkeypatch):
    monkeypatch.setenv("AURORA_SCHEDULER_DB", "/from/the/environment.db")
    assert open_store().path == "/from/the/environment.db"
    assert open_store("given.db").path == "given.db"
    monkeypatch.setenv("AURORA_SCHEDULER_DB", "")
    assert open_store().path == "aurora_scheduler.db"
    monkeypatch.delenv("AURORA_SCHEDULER_DB")
    assert open_store().path == "aurora_scheduler.db"


def test_naming_a_database_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_store("jobs.db")
    open_store()
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_an_unusual_name_is_that_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("ünusual näme?mode=memory#%20.db")
    store.open()
    insert(store, make_job())
    store.close()
    assert (tmp_path / "ünusual näme?mode=memory#%20.db").stat().st_size > 0


@pytest.mark.parametrize(("durability", "syncs"), [("normal", [False, True, False]), ("full", [False, False, False])])
def test_what_must_last_is_written_through_whatever_the_durability(path, monkeypatch, durability, syncs):
    """With "full", SQLite does that itself for every commit."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    store = SqliteStore(str(path), durability=durability)
    store.open()
    with store.transaction():
        store.insert(make_job())
    found = []
    for number, must_last in enumerate([False, True, False], start=1):
        synced.clear()
        with store.transaction():
            store.commit(Commit(job=None, new=(make_execution(number),), must_last=must_last))
        found.append(synced == [f"{path}-wal"])
    store.close()
    assert found == syncs


@pytest.mark.parametrize("notices", ["the reader", "nobody", "the writer"])
def test_what_is_in_the_log_goes_with_a_file_that_is_taken_away_whoever_notices(path, notices):
    store = SqliteStore(str(path))
    store.open()
    assert store.own(OWNER)
    reader = store.reader()
    reader.open()
    insert(store, make_job("a"), make_job("b"))
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    path.write_text("Dear diary,\n" * 1000)
    if notices == "the reader":
        with pytest.raises(StoreError):
            reader.jobs()
    elif notices == "the writer":
        with pytest.raises(StoreError), store.transaction():
            pass
    reader.close()
    store.close()
    again = SqliteStore(str(elsewhere))
    again.open()
    assert [job.id for job in again.jobs()] == ["a", "b"]
    again.close()
