"""The database is taken away under a running scheduler, or another file is put in its place.

SQLite raises nothing then, and goes on with a file that nobody finds. The scheduler notices by itself, stops loudly,
and never writes to what was put there.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from aurora_scheduler import AuroraError, CronService, SchedulerManager, SchedulerStopped, StoreError
from aurora_scheduler.stores import SqliteStore
from facades.waiting import eventually, finishes
from faults import callbacks
from faults.recorded import check_every_instant_once, is_sound, rows_of
from stores.making import insert, make_job

SECOND = 1_000_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """In a directory of its own, which can be moved."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "jobs.db"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another good database, of another scheduler."""
    path = tmp_path / "other.db"
    with CronService(path) as cron:
        cron.schedule_relative(name="theirs", relative_time="every 1 hour", callback=callbacks.work, job_id="theirs")
    return path


@pytest.fixture
def cron(database: Path) -> Iterator[CronService]:
    """A scheduler that fires."""
    cron = CronService(database)
    cron.start()
    cron.schedule_relative(name="ours", relative_time="every 1 second", callback=callbacks.note, job_id="ours")
    eventually(lambda: cron.get_executions("ours", "succeeded"))
    yield cron
    finishes(lambda: cron.shutdown(drain=0))


def elsewhere(database: Path) -> Path:
    return database.parent.parent / "elsewhere.db"


def moved(database: Path, other: Path) -> None:
    database.rename(elsewhere(database))


def deleted(database: Path, other: Path) -> None:
    database.unlink()


def directory_moved(database: Path, other: Path) -> None:
    database.parent.rename(database.parent.with_name("another place"))


def replaced_by_an_empty_file(database: Path, other: Path) -> None:
    moved(database, other)
    database.touch()


def replaced_by_text(database: Path, other: Path) -> None:
    moved(database, other)
    database.write_text("Dear diary,\n" * 1000)


def replaced_by_another_database(database: Path, other: Path) -> None:
    moved(database, other)
    other.rename(database)


def replaced_in_one_step(database: Path, other: Path) -> None:
    other.rename(database)


def replaced_by_its_own_copy(database: Path, other: Path) -> None:
    copy = database.with_name("copy.db")
    shutil.copy(database, copy)
    copy.rename(database)


WAYS: list[Callable[[Path, Path], None]] = [
    moved,
    deleted,
    directory_moved,
    replaced_by_an_empty_file,
    replaced_by_text,
    replaced_by_another_database,
    replaced_in_one_step,
    replaced_by_its_own_copy,
]


def name(way: Callable[..., object]) -> str:
    return way.__name__.replace("_", " ")


def failure_of(cron: CronService) -> str:
    """What a call says, once the scheduler has stopped by itself."""

    def look() -> str:
        try:
            cron.pause_job("nobody")
        except SchedulerStopped as error:
            return str(error)
        except AuroraError:
            pass
        return ""

    return eventually(look)


@pytest.mark.parametrize("way", WAYS, ids=name)
def test_it_is_noticed_and_said_with_what_to_do(cron, database, other, caplog, way):
    way(database, other)
    said = failure_of(cron)
    assert str(database) in said
    assert "put it back" in said
    assert "Group" not in said
    (loud,) = eventually(lambda: [record for record in caplog.records if record.levelno == logging.CRITICAL])
    assert str(database) in loud.getMessage()
    assert "put it back" in loud.getMessage()
    assert not [record for record in caplog.records if record.exc_info], "it is said in words, without a traceback"


@pytest.mark.parametrize("way", [way for way in WAYS if "replaced" in way.__name__], ids=name)
def test_what_was_put_in_its_place_is_never_written(cron, database, other, way):
    way(database, other)
    before = database.read_bytes()
    failure_of(cron)
    finishes(lambda: cron.shutdown(drain=0))
    assert database.read_bytes() == before


def test_the_database_that_was_put_in_its_place_is_as_good_as_before(cron, database, other):
    """The log of the one that was taken away must not be mixed with it."""
    replaced_by_another_database(database, other)
    failure_of(cron)
    finishes(lambda: cron.shutdown(drain=0))
    with CronService(database) as theirs:
        assert [job.id for job in theirs.get_all_jobs()] == ["theirs"]
        assert theirs.get_executions() == []
    assert is_sound(database)


@pytest.mark.parametrize("way", [moved, replaced_by_text, replaced_by_another_database], ids=name)
def test_what_was_committed_is_in_the_file_that_was_taken_away(cron, database, other, way):
    """Alone: nobody moves its log with it."""
    for number in range(20):
        cron.schedule_relative(name=f"number {number}", relative_time="every 1 hour", callback=callbacks.work)
    way(database, other)
    failure_of(cron)
    finishes(lambda: cron.shutdown(drain=0))
    assert is_sound(elsewhere(database))
    with CronService(elsewhere(database)) as again:
        assert len(again.get_all_jobs()) == 21
    rows = rows_of(elsewhere(database), "ours")
    check_every_instant_once(rows, SECOND)


def test_put_back_it_goes_on_where_it_was(cron, database, other):
    moved(database, other)
    failure_of(cron)
    elsewhere(database).rename(database)
    finishes(lambda: cron.shutdown(drain=0))
    cron.start()
    before = len(rows_of(database, "ours"))
    eventually(lambda: len(rows_of(database, "ours")) > before + 1)
    cron.shutdown(drain=5)
    rows = rows_of(database, "ours")
    check_every_instant_once(rows, SECOND)
    assert {row.status for row in rows} <= {"succeeded", "missed"}
    assert is_sound(database)


CALLS: dict[str, Callable[[SchedulerManager], Awaitable[object]]] = {
    "get_job": lambda client: client.get_job("ours"),
    "get_all_jobs": lambda client: client.get_all_jobs(),
    "get_executions": lambda client: client.get_executions(),
    "deactivate_job": lambda client: client.deactivate_job("ours"),
    "run_job": lambda client: client.run_job("ours"),
}


@pytest.mark.parametrize("way", WAYS, ids=name)
def test_a_client_that_fires_nothing_does_not_answer_from_a_file_that_is_gone(database, other, way):
    async def ask() -> None:
        client = SchedulerManager(database)
        await client.initialize()
        await client.create_job(name="ours", schedule="every 1 hour", callback=callbacks.work, job_id="ours")
        way(database, other)
        for call in CALLS.values():
            with pytest.raises(StoreError, match="put it back"):
                await call(client)
        await client.stop()

    anyio.run(ask, backend="trio")


def log_deleted(database: Path, other: Path) -> None:
    database.with_name("jobs.db-wal").unlink()


def log_emptied_by_another(database: Path, other: Path) -> None:
    log_deleted(database, other)
    database.with_name("jobs.db-wal").touch()


@pytest.mark.parametrize("way", [log_deleted, log_emptied_by_another], ids=name)
def test_a_log_that_somebody_tidied_away_takes_nothing_with_it(cron, database, other, way):
    """What was committed was in that log alone, and SQLite goes on with it as if it were still there."""
    for number in range(20):
        cron.schedule_relative(name=f"number {number}", relative_time="every 1 hour", callback=callbacks.work)
    way(database, other)
    said = failure_of(cron)
    assert str(database) in said
    assert "jobs.db-wal" in said
    assert "start anew" in said
    finishes(lambda: cron.shutdown(drain=0))
    cron.start()
    assert len(cron.get_all_jobs()) == 21
    before = len(cron.get_executions("ours", "succeeded"))
    eventually(lambda: len(cron.get_executions("ours", "succeeded")) > before)
    cron.shutdown(drain=5)
    assert is_sound(database)
    check_every_instant_once(rows_of(database, "ours"), SECOND)


def test_a_link_that_leads_elsewhere_now_is_noticed(tmp_path, other):
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "jobs.db")
    store = SqliteStore(str(link))
    store.open()
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(StoreError, match="put it back"):
        insert(store, make_job())
    store.close()


def test_the_log_of_a_database_that_is_reached_by_a_link_is_moved_into_it_too(tmp_path):
    """It lies beside the file, not beside the link."""
    link = tmp_path / "link.db"
    (tmp_path / "far").mkdir()
    link.symlink_to(tmp_path / "far" / "jobs.db")
    store = SqliteStore(str(link))
    store.open()
    store.own("me")
    insert(store, make_job("1"))
    insert(store, make_job("2"))
    store._checkpoints.at = 1
    insert(store, make_job("3"))  # before it is written, what is there is moved
    alone = shutil.copy(tmp_path / "far" / "jobs.db", tmp_path / "alone.db")
    with closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("SELECT count(*) FROM aurora_jobs").fetchone() == (2,)
    store.close()
