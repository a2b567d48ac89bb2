"""Another process holds the database while the scheduler fires, or it may not be written any more.

The instants that fall due meanwhile are not run without a claim, and each is recorded afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from aurora_scheduler import CronService, SchedulerManager, StoreReadOnlyError, StoreUnavailableError
from aurora_scheduler.stores import locks
from facades.waiting import eventually
from faults import callbacks
from faults.recorded import check_every_instant_once, is_sound, rows_of
from stores.making import running, said

SECOND = 1_000_000

HOLD_THE_DATABASE = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
other.close()
print("let go", flush=True)
sys.stdin.readline()
"""

HOLD_THE_WRITE_LOCK = """
import fcntl, sys
lock = open(sys.argv[1] + "-aurora.lock", "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
fcntl.flock(lock, fcntl.LOCK_UN)
print("let go", flush=True)
sys.stdin.readline()
"""

HOLDERS = {"by another program": HOLD_THE_DATABASE, "by one that has our write lock": HOLD_THE_WRITE_LOCK}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Say so after half a second, instead of five; and say all of it."""
    caplog.set_level(logging.DEBUG, "aurora_scheduler")
    monkeypatch.setattr(locks, "PATIENCE", 0.5)
    callbacks.calls.clear()
    callbacks.may_end.clear()


@pytest.fixture
def cron(database: Path) -> Iterator[CronService]:
    """A scheduler that fires."""
    cron = CronService(database)
    cron.start()
    cron.schedule_relative(name="often", relative_time="every 1 second", callback=callbacks.note, job_id="often")
    eventually(lambda: cron.get_executions("often", "succeeded"))
    yield cron
    callbacks.may_end.set()
    cron.shutdown(drain=0)


def waits(caplog: pytest.LogCaptureFixture, what: str) -> list[str]:
    """What names the database and what waits for it."""
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if what in text and "jobs.db" in text]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator reads."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def check(database: Path) -> None:
    """Each instant has its record, each run its record, and the file is as it should be."""
    rows = rows_of(database, "often")
    check_every_instant_once(rows, SECOND)
    assert {row.status for row in rows} <= {"succeeded", "missed", "skipped"}
    ran = {row.id for row in rows if row.status == "succeeded"}
    assert ran <= set(callbacks.calls)
    assert len(callbacks.calls) == len(set(callbacks.calls))
    assert is_sound(database)


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_database_that_is_held_delays_the_firings_and_loses_none(cron, database, caplog, holder):
    cron.schedule_relative(name="slow", relative_time="every 1 hour", callback=callbacks.wait, job_id="slow")
    slow = cron.run_job("slow")
    eventually(lambda: slow.id in callbacks.calls)
    with running(HOLDERS[holder], database) as process:
        assert said(process) == "held"
        eventually(lambda: len(waits(caplog, "job 'often' waits for the database")) > 1)
        called = len(callbacks.calls)
        with pytest.raises(StoreUnavailableError, match=r"jobs\.db.*another"):
            cron.pause_job("often")
        assert [job.id for job in cron.get_all_jobs()] == ["often", "slow"], "reading goes on"
        callbacks.may_end.set()
        eventually(lambda: waits(caplog, f"the end of execution {slow.id} waits for the database"))
        assert len(callbacks.calls) == called, "nothing runs without its claim"
        process.stdin.write("\n")
        process.stdin.flush()
        assert said(process) == "let go"
        before = len(cron.get_executions("often", "succeeded"))
        eventually(lambda: len(cron.get_executions("often", "succeeded")) > before + 1)
        (ended,) = eventually(lambda: cron.get_executions("slow", "succeeded"))
        assert ended.id == slow.id
    cron.shutdown(drain=10)
    away, back = warnings(caplog)
    assert away.startswith("the database cannot be written now, and what needs that waits: ")
    assert back.startswith("the database can be written again, after ")
    check(database)


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_holder_that_is_killed_holds_it_no_longer(cron, database, caplog, holder):
    with running(HOLDERS[holder], database) as process:
        assert said(process) == "held"
        eventually(lambda: waits(caplog, "job 'often' waits for the database"))
    before = len(cron.get_executions("often", "succeeded"))
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > before + 1)
    cron.shutdown(drain=10)
    check(database)


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_scheduler_that_starts_while_it_is_held_says_so_or_waits(database, holder):
    CronService(database).__enter__().shutdown()
    with running(HOLDERS[holder], database) as process:
        assert said(process) == "held"
        manager = SchedulerManager(database)

        async def live() -> None:
            try:
                await manager.initialize()
                await manager.get_all_jobs()
                await manager.create_job(name="x", schedule="every 1 hour", callback=callbacks.work)
            finally:
                with anyio.CancelScope(shield=True):
                    await manager.stop(drain=0)

        with pytest.raises(StoreUnavailableError, match=r"jobs\.db"):
            anyio.run(live, backend="trio")


def test_a_stop_while_it_is_held_comes_to_its_end_when_it_is_let_go(cron, database, caplog):
    with running(HOLD_THE_DATABASE, database) as process:
        assert said(process) == "held"
        eventually(lambda: waits(caplog, "job 'often' waits for the database"))
        process.stdin.write("\n")
        process.stdin.flush()
        cron.shutdown(drain=30)
        assert said(process) == "let go"
    check(database)


def test_a_file_made_read_only_under_a_scheduler_is_refused_at_its_next_start_only(cron, database):
    """It has the file open, and goes on; who took the permission away is heard when it is opened next."""
    database.chmod(0o444)
    before = len(cron.get_executions("often", "succeeded"))
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > before + 1)
    cron.shutdown(drain=10)
    bytes_before = database.read_bytes()
    with pytest.raises(StoreReadOnlyError, match="read-only"):
        cron.start()
    assert database.read_bytes() == bytes_before
    database.chmod(0o600)
    cron.start()
    ran = len(cron.get_executions("often", "succeeded"))
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > ran)
    cron.shutdown(drain=10)
    check(database)
