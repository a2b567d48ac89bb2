"""The same kills for three schedulers: what each has lost, run twice, or can tell about.

Run by hand, from `tests`, with the dependency group "bench" installed: `python -m faults.peers --kills 60`.

Five jobs fire every second on an SQLite file in WAL mode; a callback takes 0.2 s between its beginning and its effect.
The process is killed again and again at the same random instants, and begun again at once; in the end it runs for some
seconds and is stopped. Each is used as its documentation shows, with its defaults:

- APScheduler 3: `BackgroundScheduler`, `SQLAlchemyJobStore`, interval triggers with a start date.
- huey: `SqliteHuey`, periodic tasks. Its scheduler looks at them once a minute; here, once a second, else nothing of it
  is changed. It has no instants of its own: what is due is one firing for each second that passed.
- Aurora Scheduler: "every 1 second" with `start_at`.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faults.evidence import State
from faults.journal import Journal, read

JOBS = tuple(f"job-{number}" for number in range(5))
SECOND = 1_000_000
TAKES = 0.2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_journal = Journal(os.environ.get("PEERS_JOURNAL", os.devnull))
_anchor = int(os.environ.get("PEERS_ANCHOR", "0"))


def _is_done(job: str, firing: object) -> None:
    """What all of them have their callbacks do: begin, take a while, have an effect."""
    _journal.note("begin", job=job, firing=firing)
    time.sleep(TAKES)
    _journal.note("end", job=job, firing=firing)


def _start() -> datetime:
    return _EPOCH + timedelta(microseconds=_anchor)


def _until_stopped() -> None:
    _journal.note("up")
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    while not asked:
        time.sleep(0.1)


# -- the victims -----------------------------------------------------------------------------------------------------


def of_aurora(job_id: str, scheduled_for: datetime) -> None:
    """Aurora Scheduler says which firing it is."""
    _is_done(job_id, (scheduled_for - _EPOCH) // timedelta(microseconds=1))


def aurora(database: str) -> None:
    """Aurora Scheduler, until it is stopped."""
    from aurora_scheduler import CronService

    with CronService(database, timezone="UTC", keep_executions=1_000_000) as cron:
        for job in JOBS:
            cron.schedule_relative(
                name=job, job_id=job, if_exists="keep", relative_time="every 1 second", callback=of_aurora,
                start_at=_start(),
            )  # fmt: skip
        _until_stopped()


def of_apscheduler(job: str) -> None:
    """APScheduler does not say which firing it is: the latest instant that has come."""
    passed = time.time_ns() // 1000 - _anchor
    _is_done(job, _anchor + passed // SECOND * SECOND)


def apscheduler(database: str) -> None:
    """APScheduler, until it is stopped."""
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{database}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode = WAL"))
    scheduler = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(engine=engine)}, timezone=UTC)
    scheduler.start()
    for job in JOBS:
        if scheduler.get_job(job) is None:
            scheduler.add_job(of_apscheduler, "interval", seconds=1, start_date=_start(), id=job, args=[job])
    _until_stopped()
    scheduler.shutdown()


def huey(database: str) -> None:
    """The consumer of huey, until it is stopped."""
    from huey import SqliteHuey
    from huey.consumer import Consumer, Scheduler
    from huey.signals import SIGNAL_ENQUEUED

    class EverySecond(Scheduler):  # type: ignore[misc]
        periodic_task_seconds = 1

    class OurConsumer(Consumer):  # type: ignore[misc]
        scheduler_class = EverySecond

    tasks = SqliteHuey(filename=database)
    for job in JOBS:

        def work(task: Any, job: str = job) -> None:
            _is_done(job, task.id)

        tasks.periodic_task(lambda moment: True, name=job, context=True)(work)

    @tasks.signal(SIGNAL_ENQUEUED)
    def told(_: str, task: Any) -> None:
        _journal.note("enqueued", job=task.name, firing=task.id)

    consumer = OurConsumer(tasks, workers=10)
    _journal.note("up")
    consumer.run()


VICTIMS: dict[str, Callable[[str], None]] = {"aurora-scheduler": aurora, "apscheduler": apscheduler, "huey": huey}


# -- the parent ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """What became of the firings of one library. Each is a job and an instant, or a task."""

    due: int
    ran: int
    twice: int
    """Had their effect more than once."""
    cut: int
    """Were begun, killed, and never had their effect."""
    vanished: int
    """Were not begun at all, though they came due."""
    untold: int
    """Of the ones cut or vanished: no record says so."""
    extra: int
    """More than were due: huey asks for its periodic tasks whenever it is begun."""
    up: int
    """How many of the processes lived until their scheduler was up: where these are few, so are the firings."""


def kill_and_count(library: str, directory: Path, kills: int, seed: int) -> Count:
    """Live, die so many times, live again, and count."""
    chance = random.Random(seed)
    database, journal = directory / "jobs.db", directory / "journal.txt"
    anchor = time.time_ns() // 1000 // SECOND * SECOND + 2 * SECOND
    told = {"PEERS_JOURNAL": str(journal), "PEERS_ANCHOR": str(anchor)}
    for number in range(kills + 1):
        with (directory / "errors.txt").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "faults.peers", "--victim", library, str(database)],
                env=os.environ | told, stderr=errors, stdout=errors,
            )  # fmt: skip
        time.sleep(chance.uniform(0.8, 3.0) if number < kills else 4.0)
        if number < kills:
            process.kill()
        else:
            ended = time.time_ns() // 1000
            # To huey, this means to finish what runs, and the other not to.
            process.send_signal(signal.SIGINT if library == "huey" else signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
    return _count(library, directory, anchor, ended)


def _count(library: str, directory: Path, anchor: int, ended: int) -> Count:
    lines = read(directory / "journal.txt")
    begun = {(each["job"], each["firing"]) for each in lines if each.what == "begin"}
    effects = Counter((each["job"], each["firing"]) for each in lines if each.what == "end")
    ups = [each for each in lines if each.what == "up"]
    if library == "huey":
        enqueued = [each for each in lines if each.what == "enqueued"]
        came = {(each["job"], each["firing"]) for each in enqueued} | begun
        due = len(JOBS) * ((ended - enqueued[0].at) // SECOND + 1)
        vanished = max(0, due - len(came)) + len(came - begun)
        extra = max(0, len(came) - due)
    else:
        # What came before there was a job at all was not due.
        first = anchor + max(0, -((anchor - ups[0].at) // SECOND)) * SECOND
        instants = {(job, instant) for job in JOBS for instant in range(first, ended - SECOND // 2, SECOND)}
        begun &= instants
        effects = Counter({firing: n for firing, n in effects.items() if firing in instants})
        due, vanished, extra = len(instants), len(instants - begun), 0
    cut = len(begun - effects.keys())
    untold = cut + vanished
    if library == "aurora-scheduler":
        untold = len((instants - effects.keys()) - _recorded(directory / "jobs.db"))
    return Count(
        due,
        len(effects),
        sum(n > 1 for n in effects.values()),
        cut,
        vanished,
        untold,
        extra,
        sum(each.what == "up" for each in lines),
    )


def _recorded(database: Path) -> set[tuple[str, int]]:
    """What the history of Aurora Scheduler tells of."""
    return {
        (row["job_id"], instant)
        for row in State.of(database).executions.values()
        for instant in range(row["scheduled"], row["last_scheduled"] + 1, SECOND)
    }


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description="What is lost when schedulers are killed.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victim", nargs=2, metavar=("LIBRARY", "DATABASE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if asked.victim:
        VICTIMS[asked.victim[0]](asked.victim[1])
        return
    print(f"{asked.kills} kills each; five jobs, every second")
    print(f"{'':24}{'due':>7}{'ran':>7}{'twice':>7}{'cut':>7}{'vanished':>10}{'untold':>8}{'extra':>7}{'up':>5}")
    for library in VICTIMS:
        with tempfile.TemporaryDirectory() as directory:
            count = kill_and_count(library, Path(directory), asked.kills, asked.seed)
        name = library if library == "aurora-scheduler" else f"{library} {version(library)}"
        print(
            f"{name:24}{count.due:7}{count.ran:7}{count.twice:7}{count.cut:7}{count.vanished:10}{count.untold:8}{count.extra:7}{count.up:5}",
            flush=True,
        )


if __name__ == "__main__":
    main()
