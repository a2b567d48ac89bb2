"""One of several processes that write to one file as fast as they can, and are killed at it.

Told by its environment: SCRIBE_DATABASE, SCRIBE_JOURNAL, SCRIBE_SEED, and KILL_AT with KILL_ON, as victims are. Each of
its threads has jobs of its own, and says of each call that it is made, and when it is answered. It stops on SIGTERM.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import signal
import threading
import time

from aurora_scheduler import AuroraError, CronService
from aurora_scheduler.stores import checkpoints
from faults.callbacks import work
from faults.journal import Journal
from faults.points import Death, watch

__all__ = ["main"]

_THREADS = 2
#: So many jobs each thread has in hand at a time.
_JOBS = 20
#: The log is moved into the database after so many bytes, not megabytes: often enough to be killed in it.
_CHECKPOINT_BYTES = 256 * 1024


def main() -> None:
    """Write until asked to stop."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    logging.basicConfig(level=logging.ERROR)
    checkpoints._LONG = _CHECKPOINT_BYTES
    seed = os.environ["SCRIBE_SEED"]
    watch(Death(os.environ["KILL_AT"] or None, int(os.environ["KILL_ON"])))
    stop = threading.Event()
    # Not by the event: who sets one that his own thread is about to wait for waits for himself.
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    with CronService(os.environ["SCRIBE_DATABASE"], timezone="UTC") as cron:
        threads = [
            threading.Thread(target=_write, args=(cron, stop, number, random.Random(f"{seed} {number}")))
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        while not asked:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()


def _write(cron: CronService, stop: threading.Event, number: int, chance: random.Random) -> None:
    journal = Journal(os.environ["SCRIBE_JOURNAL"])
    there: set[str] = set()
    turn = 0
    while not stop.is_set():
        turn += 1
        job_id = f"{os.getpid()}-{number}-{chance.randrange(_JOBS)}"
        deletes = job_id in there and chance.random() < 0.3
        journal.note("asked", job=job_id, turn=None if deletes else turn)
        began = time.monotonic()
        try:
            if deletes:
                cron.cancel_job(job_id)
            else:
                cron.schedule_relative(
                    name=f"turn {turn}", job_id=job_id, if_exists="update", relative_time="every 1 hour",
                    callback=work, callback_args={"text": f"turn {turn}"},
                )  # fmt: skip
        except AuroraError as error:
            journal.note("refused", job=job_id, error=str(error), seconds=time.monotonic() - began)
        else:
            journal.note("answered", job=job_id, seconds=time.monotonic() - began)
            there.discard(job_id) if deletes else there.add(job_id)


if __name__ == "__main__":
    main()
