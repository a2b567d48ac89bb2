"""One of several processes on a file: whichever is the owner fires jobs that come due every tenth of a second.

Told by its environment: CONTEST_DATABASE, CONTEST_JOURNAL, CONTEST_ANCHOR; and CONTEST_JOBS, where they are more than
ten. It stops on SIGTERM.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import time
from datetime import UTC, datetime, timedelta

from aurora_scheduler import CronService
from faults.journal import Journal

__all__ = ["JOBS", "PERIOD", "fire", "job_ids", "main"]

#: In microseconds; the jobs come due one after the other.
PERIOD = 1_000_000


def job_ids(count: int) -> tuple[str, ...]:
    """What is lost of the second half is not run again."""
    return tuple(f"{way}-{number}" for way in ("at_least_once", "at_most_once") for number in range(count // 2))


JOBS = job_ids(10)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAKES = 0.03
_journal = Journal(os.environ.get("CONTEST_JOURNAL", os.devnull))


def fire(execution_id: str, job_id: str) -> None:
    """Begin, take a moment to be killed in, have an effect."""
    _journal.note("begin", execution=execution_id, job=job_id)
    time.sleep(_TAKES)
    _journal.note("end", execution=execution_id)


def main() -> None:
    """Contend until asked to stop."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    logging.basicConfig(level=logging.ERROR)
    # Not an event: who sets one that his own thread is about to wait for waits for himself.
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    anchor = _EPOCH + timedelta(microseconds=int(os.environ["CONTEST_ANCHOR"]))
    with CronService(os.environ["CONTEST_DATABASE"], timezone="UTC", keep_executions=1_000_000) as cron:
        jobs = job_ids(int(os.environ.get("CONTEST_JOBS", "10")))
        for number, job_id in enumerate(jobs):
            cron.schedule_relative(
                name=job_id,
                job_id=job_id,
                if_exists="keep",
                relative_time="every 1 second",
                start_at=anchor + number * timedelta(microseconds=PERIOD) / len(jobs),
                callback=fire,
                delivery=job_id.partition("-")[0],
            )
        _journal.note("up")
        while not asked:
            time.sleep(0.05)
        _journal.note("stopping")
    _journal.note("stopped")


if __name__ == "__main__":
    main()
