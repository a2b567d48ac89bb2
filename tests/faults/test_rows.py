"""One row is damaged: the scheduler fires all other jobs, and says of this one what is wrong and what to do."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import CronService, Job, JobStatus, StoreCorruptError
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
    """A good job that fires every second, and one for each column that is spoilt."""
    path = tmp_path / "jobs.db"
    with CronService(path) as cron:
        for job_id in ("good", *DAMAGE):
            schedule(cron, job_id)
        eventually(lambda: all(cron.get_executions(job_id, "succeeded") for job_id in ("good", *DAMAGE)))
    for column, value in DAMAGE.items():
        new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        with lawless(path, "aurora_jobs") as sql:
            sql.execute(f"UPDATE aurora_jobs SET {column} = {new} WHERE id = ?", (value, column))
    return path


def schedule(cron: CronService, job_id: str, **options: Any) -> None:
    cron.schedule_relative(
        name=job_id, relative_time="every 1 second", callback=callbacks.note, job_id=job_id, tags=["all"], **options
    )


#: What is written anew with the next state: nothing of it is made up.
MENDED = "next_fire"


def _unresolved(cron: CronService, job_id: str) -> Job | None:
    job = cron.get_job(job_id)
    return job if job is not None and job.status is JobStatus.UNRESOLVED else None


def test_the_other_jobs_fire_and_the_damaged_ones_say_why_they_do_not(database, caplog):
    def runs(job_id: str) -> int:
        return len(cron.get_executions(job_id, "succeeded"))

    with CronService(database) as cron:
        before = {job_id: runs(job_id) for job_id in ("good", *DAMAGE)}
        eventually(lambda: runs("good") > before["good"] + 2)
        damaged = [column for column in DAMAGE if column != MENDED]
        assert {job_id: runs(job_id) for job_id in damaged} == {job_id: before[job_id] for job_id in damaged}
        jobs = {job.id: job for job in cron.get_all_jobs()}
        assert set(jobs) == {"good", *DAMAGE}
        for column in damaged:
            shown = eventually(partial(_unresolved, cron, column))
            assert shown.status_reason, column
        eventually(lambda: runs(MENDED) > before[MENDED] + 1)
        assert cron.get_job(MENDED).is_active
        assert not [record for record in caplog.records if record.levelno == logging.CRITICAL]


def test_a_damaged_job_can_be_deleted_and_created_anew(database):
    with CronService(database) as cron:
        before = {column: len(cron.get_executions(column, "succeeded")) for column in DAMAGE}
        for column in DAMAGE:
            assert cron.cancel_job(column), column
            schedule(cron, column)
        eventually(lambda: all(len(cron.get_executions(column, "succeeded")) > before[column] for column in DAMAGE))


def test_a_job_whose_next_firing_is_damaged_may_be_declared_again(database):
    """As at every start of its program, which is to come up all the same."""
    with CronService(database) as cron:
        before = len(cron.get_executions(MENDED, "succeeded"))
        schedule(cron, MENDED, if_exists="update")
        eventually(lambda: len(cron.get_executions(MENDED, "succeeded")) > before + 1)


def test_a_damaged_job_cannot_be_edited_and_what_is_made_up_for_it_is_not_written(database):
    said = r"jobs\.db.*'callback_args'.*callback_args.*delete"
    with CronService(database) as cron, pytest.raises(StoreCorruptError, match=said):
        schedule(cron, "callback_args", if_exists="update", max_retries=7)
    with lawless(database, "aurora_jobs") as sql:
        kept = sql.execute("SELECT callback_args FROM aurora_jobs WHERE id = 'callback_args'").fetchone()
    assert kept == (DAMAGE["callback_args"],)
