"""The command `aurora`: look at jobs, act on them, ask why one ran or what a schedule means, see the scheduler work.

Everything here goes through what any program can use, `SchedulerManager` and `next_fire_times`: the commands that look
at a database are clients of it, which fire nothing, beside the process that does.
"""

from __future__ import annotations

import io
import sys

import click

from aurora_scheduler.cli.acting import delete, pause, resume, trigger
from aurora_scheduler.cli.applying import apply, export
from aurora_scheduler.cli.commands import history, list_jobs, upcoming
from aurora_scheduler.cli.completing import completion
from aurora_scheduler.cli.demo import demo
from aurora_scheduler.cli.failing import FailingGroup
from aurora_scheduler.cli.firing import run
from aurora_scheduler.cli.keeping import backup, doctor, migrate
from aurora_scheduler.cli.moving import import_apscheduler, import_crontab
from aurora_scheduler.cli.telling import show, why
from aurora_scheduler.cli.writing import add, edit

__all__ = ["main"]


@click.group(
    cls=FailingGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The database is that of --db, else of the environment's AURORA_SCHEDULER_DB, else ./aurora_scheduler.db.",
)
@click.version_option(package_name="aurora-scheduler", prog_name="aurora")
def main() -> None:
    """Persistent jobs, fired on time.

    \b
    Examples:
      aurora add "every 5 minutes" --name look --callback shop.jobs.look
      aurora run --db jobs.db
      aurora list
      aurora show nightly
      aurora why nightly --at "2030-05-28 02:00"
      aurora trigger nightly --wait
      aurora next "0 9 * * 1-5" --tz Europe/Berlin
      aurora demo
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding does not have is shown escaped; it must not end the command.
            stream.reconfigure(errors="backslashreplace")


for command in (
    run,
    add,
    list_jobs,
    show,
    history,
    why,
    upcoming,
    edit,
    pause,
    resume,
    trigger,
    delete,
    backup,
    doctor,
    migrate,
    apply,
    export,
    import_crontab,
    import_apscheduler,
    completion,
    demo,
):
    main.add_command(command)
