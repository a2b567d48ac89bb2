"""The file is damaged in place, by another program, while the scheduler has it open and fires.

What comes of it depends on what SQLite still has in memory and in its log. The scheduler goes on, or stops loudly; no
call answers with anything but a value or an error of ours, and `shutdown` comes to its end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import AuroraError, CronService
from facades.waiting import eventually, finishes
from faults import callbacks
from stores.making import run

#: In a process of their own: closing a file here would drop the locks that SQLite has on it.
OPEN = "import random, sys; file = open(sys.argv[1], 'r+b'); size = file.seek(0, 2); random.seed(1);"
WAYS = {
    "emptied": OPEN + "file.truncate(0)",
    "cut in half": OPEN + "file.truncate(size // 2)",
    "zeros": OPEN + "file.seek(0); file.write(bytes(size))",
    "zeros behind the first page": OPEN + "file.seek(4096); file.write(bytes(size - 4096))",
    "random bytes": OPEN + "file.seek(0); file.write(random.randbytes(size))",
    "random bytes behind the first page": OPEN + "file.seek(4096); file.write(random.randbytes(size - 4096))",
    "the log emptied": OPEN.replace("sys.argv[1]", "sys.argv[1] + '-wal'") + "file.truncate(0)",
    "the log zeros": OPEN.replace("sys.argv[1]", "sys.argv[1] + '-wal'") + "file.seek(0); file.write(bytes(size))",
    "the log random": OPEN.replace("sys.argv[1]", "sys.argv[1] + '-wal'")
    + "file.seek(0); file.write(random.randbytes(size))",
}


def asked(call: Callable[[], Any]) -> str:
    """What a call says; any error but ours fails the test."""
    try:
        call()
    except AuroraError as error:
        return str(error)
    return ""


@pytest.mark.lengthy
@pytest.mark.parametrize("way", WAYS)
def test_it_goes_on_or_stops_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str):
    database = tmp_path / "jobs.db"
    with CronService(database) as cron:
        for number in range(50):
            cron.schedule_relative(
                name=f"job {number}", relative_time="every 1 hour", callback=callbacks.work, job_id=f"{number}"
            )
    cron = CronService(database)
    cron.start()
    cron.schedule_relative(name="often", relative_time="every 1 second", callback=callbacks.note, job_id="often")
    eventually(lambda: cron.get_executions("often", "succeeded"))
    before = len(callbacks.calls)
    run(WAYS[way], database)

    def is_loud() -> bool:
        return any("jobs.db" in record.getMessage() for record in caplog.records)

    eventually(lambda: len(callbacks.calls) > before + 2 or is_loud())
    calls: list[Callable[[], Any]] = [
        cron.get_all_jobs,
        cron.get_executions,
        *(partial(cron.pause_job, f"{number}") for number in range(50)),
        lambda: cron.get_job("often"),
        lambda: cron.run_job("often"),
        lambda: cron.cancel_job("0"),
    ]
    said = [finishes(partial(asked, call)) for call in calls]
    finishes(lambda: cron.shutdown(drain=1))
    assert all("jobs.db" in text or "scheduler" in text or "no job" in text for text in said if text), said
    raw = [record for record in caplog.records if record.exc_info and not isinstance(record.exc_info[1], AuroraError)]
    assert not raw, raw[0].exc_info
    if any("has failed" in text for text in said):
        assert [record for record in caplog.records if record.levelno == logging.CRITICAL]
    finishes(lambda: asked(cron.start))
    finishes(lambda: cron.shutdown(drain=0))
