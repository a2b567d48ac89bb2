"""Texts that somebody chose to do harm: in statements, in the log, in error messages."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_scheduler import CronService
from aurora_scheduler.errors import AuroraError, CallbackError, OptionError, StoreError
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import DEADLINE, eventually

FORGED = "harmless\nCRITICAL forged line\r\x1b[31m\x1b]0;title\x07 \u202e \u2028 \ud800 \x00"

QUOTES = [
    "x'; DROP TABLE aurora_jobs; --",
    'x"; DELETE FROM aurora_executions; --',
    "' OR '1'='1",
    "%",
    "_",
    "x%' ESCAPE '",
    "?1 :name @name $name",
    "{0} {name} %s %(name)s",
]


@pytest.mark.parametrize("text", QUOTES)
def test_no_statement_is_made_of_a_users_text(cron: CronService, database: Path, text: str):
    other = cron.schedule_relative(name="other", relative_time="in 1 hour", callback=callbacks.nothing, tags=["other"])
    job_id = cron.schedule_relative(
        name=text, relative_time="in 1 hour", callback=callbacks.answer, callback_args={"value": text},
        job_id=text, tags=[text],
    )  # fmt: skip
    assert job_id == text
    row = cron.run_job(text, wait=True)
    assert (row.job_id, row.job_name) == (text, text)
    assert [job.id for job in cron.get_all_jobs(tag=text)] == [text]
    assert cron.get_job(text).callback_args == {"value": text}
    assert [each.id for each in cron.get_executions(text)] == [row.id]
    assert cron.get_executions(f"{text} ") == []
    assert cron.pause_job(text)
    assert cron.resume_job(text)
    assert cron.explain(text, "2030-01-01").job_id == text
    assert not cron._scheduler.cancel(text).result(DEADLINE)
    assert cron.cancel_job(text)
    assert [job.id for job in cron.get_all_jobs()] == [other]
    assert len(cron.get_executions()) == 1
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def raise_hostile() -> None:
    raise ValueError(FORGED)


async def raise_hostile_async() -> None:
    raise BaseExceptionGroup(FORGED, [KeyboardInterrupt(FORGED)])


def return_hostile() -> dict[str, object]:
    return {"success": False, "error": FORGED}


@pytest.mark.parametrize("callback", [raise_hostile, raise_hostile_async, return_hostile])
def test_whatever_a_callback_says_a_record_of_the_log_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, callback: Callable[[], object]
):
    caplog.set_level(logging.DEBUG, "aurora_scheduler")
    with CronService(tmp_path / "jobs.db") as cron:
        job_id = cron.schedule_relative(name="hostile", relative_time="in 1 hour", callback=callback, max_retries=0)
        row = cron.run_job(job_id, wait=True)
        eventually(lambda: cron.get_job(job_id).status == "deactivated")
    assert "forged" in row.error
    told = [record.getMessage() for record in caplog.records]
    assert sum("forged" in message for message in told) >= 2, "the failure, and the deactivation"
    assert [message for message in told if not message.isprintable()] == []
    assert [record.name for record in caplog.records if not record.name.startswith("aurora_scheduler")] == []


def test_a_path_that_plays_with_a_terminal_does_so_neither_in_the_log_nor_in_an_error(
    tmp_path: Path, stage: Stage, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "aurora_scheduler")
    path = tmp_path / "jobs\n\x1b[31m\u202e.db"
    with CronService(path) as cron:
        job_id = cron.schedule_relative(name="x", relative_time="every 1 second", callback=callbacks.nothing)
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            eventually(lambda: cron.health().status == "degraded")
            assert cron.health().store.isprintable()
            eventually(lambda: any("database" in record.getMessage() for record in caplog.records))
        finally:
            other.close()
        eventually(lambda: cron.get_executions(job_id))
    path.write_bytes(b"no database, and no mistake" * 100)
    with pytest.raises(StoreError) as caught:
        CronService(path).start()
    assert str(caught.value).isprintable()
    assert [record.getMessage() for record in caplog.records if not record.getMessage().isprintable()] == []


@pytest.mark.parametrize(
    "error",
    [StoreError(FORGED, FORGED), CallbackError(FORGED, FORGED), OptionError("name", FORGED, FORGED)],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_tells_of_a_text_is_one_line(error: AuroraError):
    assert str(error).isprintable()


def test_a_module_that_fails_with_a_forged_line_says_so_in_one(
    tmp_path: Path, cron: CronService, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "hostile_module.py").write_text(f"raise ImportError({FORGED!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CallbackError, match="forged") as caught:
        cron.schedule_relative(name="x", relative_time="in 1 hour", callback="hostile_module.work")
    assert str(caught.value).isprintable()
