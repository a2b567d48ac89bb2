"""SQLite: several connections, threads and processes at one file."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from aurora_scheduler.errors import StoreError, StoreUnavailableError
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.stores import SqliteStore, locks
from aurora_scheduler.stores.locks import FileLock
from aurora_scheduler.stores.migrations import KNOWN
from stores.making import OWNER, add, insert, make_execution, make_job, run, running, said

MIB = 1024 * 1024


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "jobs.db"


def opened(path) -> SqliteStore:
    store = SqliteStore(str(path), durability="normal")
    store.open()
    return store


def sql(path, statement):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


OPEN_AT_ONCE = """
import sys
from stores.making import insert, make_job
from aurora_scheduler.stores import SqliteStore
_, path, name = sys.argv
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(path)
store.open()
insert(store, make_job(name))
store.close()
print("done", flush=True)
"""


def test_several_processes_can_open_a_new_file_at_once_and_one_makes_the_schema(path):
    with ExitStack() as stack:
        starters = [stack.enter_context(running(OPEN_AT_ONCE, path, number)) for number in range(6)]
        assert [said(each) for each in starters] == ["ready"] * 6
        for each in starters:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        assert [said(each) for each in starters] == ["done"] * 6
    assert {name for (name,) in sql(path, "SELECT id FROM aurora_jobs")} == set("012345")
    applied = sql(path, "SELECT name FROM _sqlite_migrations WHERE migration_set = 'aurora_scheduler'")
    assert [name for (name,) in applied] == list(KNOWN)
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    assert path.stat().st_mode & 0o777 == 0o600


COUNT_UP = """
import sys
from dataclasses import replace
from aurora_scheduler.model import Commit
from aurora_scheduler.stores import SqliteStore
from stores.making import make_execution
_, path, times, first = sys.argv
store = SqliteStore(path, durability="normal")
store.open()
for number in range(int(times)):
    with store.transaction():  # what is read here is still so when it is written
        job = store.job("nightly")
        row = make_execution(int(first) + number)
        store.commit(Commit(job=replace(job, version=job.version + 1, runs=job.runs + 1), new=(row,)))
store.close()
"""


def test_two_processes_write_in_turn_and_nothing_is_busy_or_lost(path):
    store = opened(path)
    insert(store, make_job())
    with running(COUNT_UP, path, 200, 0) as first, running(COUNT_UP, path, 200, 1000) as second:
        for each in (first, second):
            _, errors = each.communicate(timeout=100)
            assert each.returncode == 0, errors
    job = store.job("nightly")
    assert job is not None
    assert (job.runs, job.version) == (400, 401)
    assert len(store.executions(limit=1000)) == 400
    store.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_two_threads_with_a_store_each_write_in_turn(path):
    opened(path).close()

    def write(first):
        store = opened(path)
        for number in range(200):
            add(store, make_execution(first + number))
        store.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, [0, 1000]))
    assert sql(path, "SELECT count(*) FROM aurora_executions") == [(400,)]
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_transaction_waits_for_the_write_lock_and_then_gives_up_with_an_advice(path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.02)
    store, other = opened(path), opened(path)
    with other.transaction(), pytest.raises(StoreUnavailableError, match="trying again"):
        insert(store, make_job())
    insert(store, make_job())
    assert other.jobs() == [make_job()]
    store.close()
    other.close()


# The owner --------------------------------------------------------------------------------------------------------

OWN_AND_WAIT = """
import sys
from aurora_scheduler.stores import SqliteStore
from stores.making import insert, make_job
store = SqliteStore(sys.argv[1])
store.open()
print(store.own("the process"), flush=True)
for number, line in enumerate(sys.stdin):
    insert(store, make_job(str(number)))
    print(number, flush=True)
"""


def test_one_of_two_stores_owns_the_file(path):
    first, second = opened(path), opened(path)
    assert first.own("first")
    assert not second.own("second")
    assert first.own("first")
    first.disown()
    assert second.own("second")
    assert not first.own("first")
    second.close()
    assert first.own("first")
    first.close()


def test_the_owners_file_says_who_it_is(path):
    store = opened(path)
    store.own("a long name, at first")
    store.disown()
    store.own("b5d1")
    assert path.with_name("jobs.db-aurora.owner").read_text().split() == ["b5d1", str(os.getpid())]
    store.close()


def test_who_does_not_own_can_still_read_and_write(path):
    owner, standby = opened(path), opened(path)
    owner.own(OWNER)
    assert not standby.own("another")
    insert(standby, make_job())
    assert owner.jobs() == [make_job()]
    standby.close()
    owner.close()


def test_a_killed_process_owns_nothing_and_what_it_acknowledged_is_there(path):
    """I8."""
    store = opened(path)
    with running(OWN_AND_WAIT, path) as process:
        assert said(process) == "True"
        assert not store.own(OWNER)
        assert process.stdin is not None
        for number in range(20):
            process.stdin.write("one more\n")
            process.stdin.flush()
            assert said(process) == str(number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.own(OWNER)
    assert {job.id for job in store.jobs()} == {str(number) for number in range(20)}
    insert(store, make_job())
    store.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


KILLED_WHILE_WRITING = """
import os, signal, sys
from aurora_scheduler.stores import SqliteStore
from stores.making import insert, make_job
store = SqliteStore(sys.argv[1])
store.open()
with store.transaction():
    store.insert(make_job("never committed"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_it_writes_leaves_no_lock_and_nothing_half_done(path):
    store = opened(path)
    with running(KILLED_WHILE_WRITING, path) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert store.jobs() == []
    insert(store, make_job())
    store.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


FORK = """
import os, signal, sys
from aurora_scheduler.stores import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
assert store.own("the parent")
with store.transaction():
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        signal.pause()  # alive, until it is killed
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_forked_child_does_not_keep_its_parents_locks(path):
    store = opened(path)
    with running(FORK, path) as parent:
        child = int(said(parent))
        try:
            assert not store.own(OWNER), "the parent holds it while it lives"
            parent.kill()
            parent.wait()
            os.kill(child, 0)  # it lives
            assert store.own(OWNER)
            insert(store, make_job())
        finally:
            os.kill(child, signal.SIGKILL)
    store.close()


FORK_AND_END = """
import os, sys
from aurora_scheduler.errors import StoreError
from aurora_scheduler.stores import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
assert store.own("the parent")
child = os.fork()
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
other = SqliteStore(sys.argv[1])
other.open()
print(status, other.own("another"))
"""


def test_a_forked_child_that_ends_does_not_take_its_parents_locks_along(path):
    assert run(FORK_AND_END, path) == "0 False"


# Close ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def held_up(path, monkeypatch) -> Iterator[tuple[SqliteStore, sqlite3.Connection]]:
    """An owning store, and its connection, whose close did not get the write lock; the lock is free again now."""
    store = opened(path)
    store.own(OWNER)
    connection = store._connection
    busy = FileLock(f"{path}-aurora.lock")
    assert busy.try_lock()
    monkeypatch.setattr(locks, "PATIENCE", 0.02)
    with pytest.raises(StoreUnavailableError):
        store.close()
    busy.close()
    yield store, connection
    store.close()
    connection.close()


def test_a_close_that_does_not_get_the_write_lock_gives_back_the_owners_all_the_same(path, held_up):
    """Otherwise a scheduler that has stopped would keep every other from taking over."""
    other = opened(path)
    owns = other.own("another")
    other.close()
    assert owns


def test_a_close_that_did_not_get_the_write_lock_loses_no_connection(held_up):
    """The garbage collector would close it at some time, without the lock, and warn of it."""
    store, connection = held_up
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


class WatchedStore(SqliteStore):
    """Notes whether the write lock was free when a connection was closed."""

    was_free: list[bool]

    def _connect(self):
        store = self
        store.was_free = []

        class WatchedConnection(sqlite3.Connection):
            def close(self):
                probe = FileLock(f"{store.path}-aurora.lock")
                store.was_free.append(probe.try_lock())
                probe.close()
                super().close()

        return sqlite3.connect(self.path, isolation_level=None, factory=WatchedConnection)


def test_a_connection_is_closed_under_the_write_lock(path):
    """The last one that is closed checkpoints."""
    store = WatchedStore(str(path))
    store.open()
    insert(store, make_job())
    store.close()
    assert store.was_free == [False]


def test_a_connection_to_a_database_that_is_refused_is_closed_under_the_write_lock_too(path):
    """Here it is only when our tables are made that it shows: the record of it asks for more than we have to say."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE _sqlite_migrations (id, migration_set, name, applied_at, theirs NOT NULL)")
    connection.close()
    before = path.read_bytes()
    store = WatchedStore(str(path))
    with pytest.raises(StoreError):
        store.open()
    assert store.was_free == [False]
    assert path.read_bytes() == before


def test_closing_one_store_leaves_the_others_locks(path):
    """POSIX locks would vanish when any descriptor of the file is closed."""
    owner, other = opened(path), opened(path)
    assert owner.own(OWNER)
    with owner.transaction():
        owner.insert(make_job())
        third = sqlite3.connect(path)
        third.execute("SELECT 1").fetchall()
        third.close()
        intruder = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            intruder.execute("BEGIN IMMEDIATE")
        intruder.close()
    assert not other.own("another")
    other.close()
    third_store = opened(path)
    assert not third_store.own("a third")
    third_store.close()
    owner.close()


READ_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM aurora_jobs").fetchone()[0])
connection.close()
"""


@pytest.mark.parametrize("meanwhile", ["opened and closed", "refused"])
def test_another_store_in_this_process_does_not_cost_the_first_its_log(path, meanwhile, monkeypatch):
    """Closing any descriptor of the file would drop the locks of this process on it.

    Another program that reads and closes would then think itself the last, and delete the log that is in use.
    """
    first = opened(path)
    insert(first, make_job("1"))
    if meanwhile == "refused":
        monkeypatch.setattr(locks, "PATIENCE", 0.02)
        with first.transaction(), pytest.raises(StoreUnavailableError):
            SqliteStore(str(path)).open()
    else:
        opened(path).close()
    assert run(READ_AND_CLOSE, path) == "1"
    insert(first, make_job("2"))
    assert path.with_name("jobs.db-wal").exists()
    assert run(READ_AND_CLOSE, path) == "2"
    first.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


# The write-ahead log ----------------------------------------------------------------------------------------------


def write_mibs(store, first, mibs):
    rows = [
        make_execution(first + number, status=ExecutionStatus.FAILED, traceback="x" * MIB) for number in range(mibs)
    ]
    add(store, *rows)


def log_size(path):
    return path.with_name("jobs.db-wal").stat().st_size


def long_reader(path):
    """A connection that has begun to read, and sees no execution until it ends."""
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM aurora_executions").fetchone() == (0,)
    return reader


def rows_without_log(path):
    """How many executions are in the database itself."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM aurora_executions").fetchone()
    return count


def test_the_owner_keeps_the_log_short(path):
    store = opened(path)
    store.own(OWNER)
    for turn in range(5):
        write_mibs(store, turn * 100, 5)
        write_mibs(store, turn * 100 + 50, 5)
        insert(store, make_job(str(turn)))
        assert log_size(path) < 20 * MIB, "it is begun anew, and its file stays"
    assert path.stat().st_size > 32 * MIB, "it went into the database"
    assert len(store.executions(limit=1000)) == 50
    store.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_only_the_owner_moves_the_log_into_the_database(path):
    """SQLite before 3.51.3 can damage a log that two connections reset at once."""
    owner, standby = opened(path), opened(path)
    owner.own(OWNER)
    write_mibs(standby, 0, 10)
    assert log_size(path) > 8 * MIB
    assert rows_without_log(path) == 0
    insert(owner, make_job())
    assert rows_without_log(path) == 10
    standby.close()
    owner.close()


def test_a_long_read_holds_nobody_up_and_the_log_is_shortened_after_it(path):
    store = opened(path)
    store.own(OWNER)
    insert(store, make_job())
    reader = long_reader(path)
    write_mibs(store, 0, 10)
    assert len(store.executions()) == 10, "committed, though the log could not be moved"
    assert log_size(path) > 8 * MIB
    assert reader.execute("SELECT count(*) FROM aurora_executions").fetchone() == (0,), "what it saw at its beginning"
    reader.execute("COMMIT")
    reader.close()
    write_mibs(store, 100, 12)
    insert(store, make_job("2"))
    assert rows_without_log(path) == 22
    store.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_log_that_has_become_very_long_is_cut(path):
    store = opened(path)
    store.own(OWNER)
    insert(store, make_job())
    reader = long_reader(path)
    for turn in range(4):
        write_mibs(store, turn * 100, 10)
    assert log_size(path) > 32 * MIB
    reader.close()
    insert(store, make_job("2"))
    assert log_size(path) < 1 * MIB
    assert rows_without_log(path) == 40
    store.close()


FILE_SIZE_LIMIT = """
import resource, sys
from aurora_scheduler.errors import StoreError
from aurora_scheduler.stores import SqliteStore
from stores.making import add, insert, make_execution, make_job
from aurora_scheduler.model import ExecutionStatus
store = SqliteStore(sys.argv[1])
store.open()
store.own("me")
store._checkpoints.at = 200_000  # so that the database reaches the limit before its log does
resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))
said = []
for number in range(20):
    row = make_execution(number, status=ExecutionStatus.FAILED, traceback="x" * 20_000)
    try:
        add(store, row)
    except StoreError:
        stands = store.execution(row.id) is not None
        said.append("refused, but it stands" if stands else "refused")
    else:
        said.append("written" if store.execution(row.id) is not None else "lost")
    store._checkpoints.at = min(store._checkpoints.at, 200_000)
print("\\n".join(said))
"""


def test_a_log_that_cannot_be_moved_into_the_database_does_not_undo_the_word_given(path):
    """A commit stands once it is made; a checkpoint that fails after it must not make an error of it.

    The writer would do the work a second time, and its caller would hear that it never happened.
    """
    outcomes = run(FILE_SIZE_LIMIT, path).splitlines()
    assert "written" in outcomes
    assert set(outcomes) <= {"written", "refused"}


# One file, one owner, however it is reached -------------------------------------------------------------------------


def test_a_file_reached_by_a_symbolic_link_has_the_same_owner(path):
    link = path.with_name("link.db")
    link.symlink_to(path)
    one, other = opened(path), opened(link)
    assert one.own(OWNER)
    assert not other.own("another")
    one.close()
    assert other.own("another")
    other.close()


def test_a_file_with_two_names_is_refused_untouched(path):
    """SQLite would keep a log under each name, and damage the database."""
    opened(path).close()
    second = path.with_name("second.db")
    second.hardlink_to(path)
    before = path.read_bytes()
    for name in (path, second):
        with pytest.raises(StoreError, match="hard link"):
            opened(name)
    assert path.read_bytes() == before


def test_an_owner_whose_lock_file_was_deleted_takes_it_anew(path):
    one, other = opened(path), opened(path)
    assert one.own(OWNER)
    for lock in path.parent.glob("*-aurora.*"):
        lock.unlink()
    with one.transaction():
        pass
    assert not other.own("another")
    one.close()
    other.close()


def test_an_owner_that_comes_too_late_for_its_deleted_lock_file_is_told(path):
    one, other = opened(path), opened(path)
    assert one.own(OWNER)
    for lock in path.parent.glob("*-aurora.*"):
        lock.unlink()
    assert other.own("another")
    with pytest.raises(StoreError, match="another scheduler"), one.transaction():
        pass
    assert not one._is_owner
    one.close()
    third = opened(path)
    assert not third.own("a third"), "and the first gave back nothing that was not its own"
    third.close()
    other.close()
