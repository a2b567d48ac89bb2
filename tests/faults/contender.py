"""One of several processes on a file: whichever is the owner fires jobs that come due every tenth of a second.

Told by its environment: CONTEST_DATABASE, CONTEST_JOURNAL, CONTEST_ANCHOR; CONTEST_JOBS, where they are more than ten;
CONTEST_PERIODS, where not all come due every second; and CONTEST_SKEW, a file that says by how much its clock is wrong.
It stops on SIGTERM.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from aurora_scheduler import CronService, StoreUnavailableError, runtime
from faults.journal import Journal
from faults.skewed import SkewedClock

__all__ = ["JOBS", "PERIOD", "fire", "job_ids", "main", "periods_of"]

#: In microseconds; the jobs come due one after the other.
PERIOD = 1_000_000


def job_ids(count: int) -> tuple[str, ...]:
    """What is lost of the second half is not run again."""
    return tuple(f"{way}-{number}" for way in ("at_least_once", "at_most_once") for number in range(count // 2))


def periods_of(count: int, most: int) -> dict[str, int]:
    """The jobs, and how many microseconds lie between their instants: one second, two, and so on up to the most."""
    return {job_id: (number % most + 1) * PERIOD for number, job_id in enumerate(job_ids(count))}


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
    if "CONTEST_SKEW" in os.environ:  # the journal keeps true time
        runtime.SystemClock = SkewedClock  # type: ignore[misc, attr-defined]
    while not asked:
        with suppress(StoreUnavailableError):  # when it is begun the server may be away
            with CronService(os.environ["CONTEST_DATABASE"], timezone="UTC", keep_executions=1_000_000) as cron:
                _make_jobs(cron, anchor)
                _journal.note("up")
                while not asked:
                    time.sleep(0.05)
                _journal.note("stopping")
            _journal.note("stopped")
        time.sleep(0.05)


def _make_jobs(cron: CronService, anchor: datetime) -> None:
    jobs = periods_of(int(os.environ.get("CONTEST_JOBS", "10")), int(os.environ.get("CONTEST_PERIODS", "1")))
    if cron.get_job(list(jobs)[-1]) is not None:
        return
    for number, (job_id, period) in enumerate(jobs.items()):
        cron.schedule_relative(
            name=job_id,
            job_id=job_id,
            if_exists="keep",
            relative_time=f"every {period // PERIOD} seconds",
            start_at=anchor + number * timedelta(microseconds=PERIOD) / len(jobs),
            callback=fire,
            delivery=job_id.partition("-")[0],
        )


if __name__ == "__main__":
    main()
