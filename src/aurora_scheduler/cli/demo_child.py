"""The process that fires the demonstration's jobs: `python -m aurora_scheduler.cli.demo_child DATABASE PATH`.

It ends when its standard input is closed, so it never outlives the process that started it.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from aurora_scheduler.cli import demo_jobs
from aurora_scheduler.service import CronService

__all__ = ["main"]


def main(database: str, path: str) -> None:
    """Declare the jobs (after a restart they are there, and go on as they were), and fire until told to stop."""
    logging.getLogger("aurora_scheduler").addHandler(logging.NullHandler())  # the other process shows what happens
    with CronService(database) as cron:
        for name, schedule, callback, args, options in (
            ("index", "every 2 seconds", demo_jobs.index, {"path": path}, {}),
            (
                "backup",
                "every 6 seconds",
                demo_jobs.back_up,
                {"database": database, "copy": str(Path(database).with_suffix(".backup.db"))},
                {},
            ),
            ("one-off", "in 3 seconds", demo_jobs.remind, {"text": "said once, 3 seconds after the start"}, {}),
            ("async", "every 3 seconds", demo_jobs.listen, {}, {}),
            ("flaky", "in 2 seconds", demo_jobs.flaky, {}, {"retry_delay": 1}),
        ):
            cron.schedule_from_text(
                name=name,
                schedule_text=schedule,
                callback=callback,
                callback_args=args,
                job_id=name,
                if_exists="update",
                **options,
            )
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
