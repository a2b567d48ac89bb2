"""One row is damaged: the scheduler fires all other jobs, and says of this one what is wrong and what to do."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import CronService, JobStatus, StoreCorruptError
from facades.waiting import eventually
from faults import callbacks
from faults.damage import lawless

DAMAGE: dict[str, Any] = {
    "status": "idle",
    "callback_args": '{"size": ',
    "policies": '{"retry_delay": "long"}',
    "tags": "{}",
    "schedule_value": "every blue moon",
    "schedule_type": "sometimes",
    "timezone": "Mars/Base",
    "next_fire": "soon",
    "anchor": None,
    "callback_module": b"\xff",
    "created": 2**62,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two jobs that fire every second, and have fired."""
    path = tmp_path / "jobs.db"
    with CronService(path) as cron:
        for job_id in ("bad", "good"):
            cron.schedule_relative(
                name=job_id, relative_time="every 1 second", callback=callbacks.note, job_id=job_id, tags=["all"]
            )
        eventually(lambda: cron.get_executions("bad", "succeeded") and cron.get_executions("good", "succeeded"))
    return path


def spoil(path: Path, column: str, value: Any) -> None:
    new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    with lawless(path, "aurora_jobs") as sql:
        sql.execute(f"UPDATE aurora_jobs SET {column} = {new} WHERE id = 'bad'", (value,))


@pytest.mark.parametrize("column", DAMAGE)
def test_the_other_jobs_fire_and_the_damaged_one_says_why_it_does_not(database, caplog, column):
    spoil(database, column, DAMAGE[column])
    with CronService(database) as cron:
        before = {job_id: len(cron.get_executions(job_id, "succeeded")) for job_id in ("bad", "good")}
        eventually(lambda: len(cron.get_executions("good", "succeeded")) > before["good"] + 2)
        assert len(cron.get_executions("bad", "succeeded")) == before["bad"]
        bad = eventually(lambda: next(job for job in cron.get_all_jobs() if job.id == "bad"))
        if column == "status":
            assert [job.id for job in cron.get_all_jobs("active")] == ["good"]
        assert bad.status is JobStatus.UNRESOLVED
        assert bad.status_reason
        assert {job.id for job in cron.get_all_jobs()} == {"bad", "good"}
        assert not [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert cron.cancel_job("bad"), "it can be deleted"
        cron.schedule_relative(name="bad", relative_time="every 1 second", callback=callbacks.note, job_id="bad")
        eventually(lambda: len(cron.get_executions("bad", "succeeded")) > before["bad"])


def test_a_damaged_job_cannot_be_edited_and_what_is_made_up_for_it_is_not_written(database):
    spoil(database, "callback_args", DAMAGE["callback_args"])
    with (
        CronService(database) as cron,
        pytest.raises(StoreCorruptError, match=r"jobs\.db.*'bad'.*callback_args.*delete"),
    ):
        cron.schedule_relative(
            name="bad", relative_time="every 1 hour", callback=callbacks.note, job_id="bad", if_exists="update"
        )
    with lawless(database, "aurora_jobs") as sql:
        assert sql.execute("SELECT callback_args FROM aurora_jobs WHERE id = 'bad'").fetchone() == ('{"size": ',)
