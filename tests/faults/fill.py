"""A program: a scheduler fires every second while its disk is full for a while, and the rows say what became of it.

`python -m faults.fill KIND DIRECTORY`, where KIND is how there is no room: "limit" (no file may grow), "pages" (nor
may the database), or "disk" (the file system of DIRECTORY is filled, and must be a small one of its own). It prints
JSON in the end.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aurora_scheduler import CronService, StoreUnavailableError
from facades.waiting import eventually
from faults import callbacks

#: More than what a page holds, so that every end needs room.
SIZE = 20_000


def limit(cron: CronService, path: Path) -> Callable[[], None]:
    """No file of this process may grow beyond what the log has now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name(f"{path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def pages(cron: CronService, path: Path) -> Callable[[], None]:
    """The database may have no more pages than it has."""

    def most(number: int) -> None:
        def work(store: object) -> None:
            store._connection.execute(f"PRAGMA max_page_count = {number}")  # type: ignore[attr-defined]

        cron._scheduler._open_host().read(lambda store: None).result(30)
        cron._scheduler._open_host().write(work).result(30)

    most(1)  # SQLite makes it as many as there are
    return lambda: most(1_000_000)


def disk(cron: CronService, path: Path) -> Callable[[], None]:
    """There is not a byte left where the database is."""
    ballast = path.with_name("ballast")
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))
    return ballast.unlink


KINDS = {"limit": limit, "pages": pages, "disk": disk}


class Said(logging.Handler):
    """What the scheduler says of itself."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def waits(self) -> int:
        """How often something was found to wait for the database."""
        return sum("waits for the database" in line for line in self.lines)


def _main(kind: str, directory: Path) -> None:
    said = Said()
    log = logging.getLogger("aurora_scheduler")
    log.addHandler(said)
    log.setLevel(logging.DEBUG)
    path = directory / "jobs.db"
    cron = CronService(path)
    cron.start()
    args = {"size": SIZE}
    cron.schedule_relative(
        name="often", relative_time="every 1 second", callback=callbacks.note, callback_args=args, job_id="often"
    )
    cron.schedule_relative(name="slow", relative_time="every 1 hour", callback=callbacks.wait, job_id="slow")
    slow = cron.run_job("slow")
    eventually(lambda: slow.id in callbacks.calls)
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > 1)

    make_room = KINDS[kind](cron, path)
    refused = ""

    def is_full() -> bool:
        nonlocal refused
        try:  # what is small may still find a place
            cron.schedule_relative(
                name="more", relative_time="every 1 hour", callback=callbacks.work, callback_args={"text": "x" * SIZE}
            )
        except StoreUnavailableError as error:
            refused = str(error)
        return bool(refused) and said.waits() >= 3

    eventually(is_full)
    callbacks.may_end.set()
    eventually(lambda: any(f"the end of execution {slow.id} waits" in line for line in said.lines) or kind == "pages")
    called = len(callbacks.calls)
    waits = said.waits()
    eventually(lambda: said.waits() > waits + 1)
    without_a_claim = len(callbacks.calls) - called

    make_room()
    before = len(cron.get_executions("often", "succeeded"))
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > before + 2)
    ended = eventually(lambda: cron.get_executions("slow", "succeeded"))
    cron.shutdown(drain=10)
    print(
        json.dumps(
            {
                "refused": refused,
                "said": said.lines,
                "calls": callbacks.calls,
                "slow": [row.id for row in ended],
                "asked": slow.id,
                "without_a_claim": without_a_claim,
            }
        )
    )


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
