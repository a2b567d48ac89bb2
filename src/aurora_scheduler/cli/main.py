"""The commands and their options; what they print is made elsewhere."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ParamSpec

import click

from aurora_scheduler.cli import demo as demonstration
from aurora_scheduler.cli import looking
from aurora_scheduler.errors import AuroraError
from aurora_scheduler.model import ExecutionStatus, JobStatus

__all__ = ["main"]

P = ParamSpec("P")

_database = click.option(
    "--db",
    "database",
    metavar="PATH",
    default=lambda: os.environ.get("AURORA_SCHEDULER_DB") or "aurora_scheduler.db",
    help="The database; by default $AURORA_SCHEDULER_DB, else aurora_scheduler.db here.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")


def _told(command: Callable[P, None]) -> Callable[P, None]:
    """Errors that a user can meet are one line, not a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except AuroraError as error:
            click.echo(f"aurora: {looking.escaped(str(error))}", err=True)
            raise SystemExit(1) from error

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aurora-scheduler", prog_name="aurora")
def main() -> None:
    r"""Persistent jobs for Python programs, fired on time.

    These commands look at a database of jobs, also while a program fires them.

    \b
    aurora demo                        see it work, for twenty seconds
    aurora list --status active        the jobs that fire
    aurora history --job report        what became of a job's firings
    aurora next "0 9 * * 1-5"          when a schedule fires
    """


@main.command("list")
@_database
@click.option("--status", type=click.Choice([*JobStatus]), help="Only jobs in this status.")
@click.option("--tag", help="Only jobs with this tag.")
@_as_json
@_told
def list_jobs(database: str, status: str | None, tag: str | None, as_json: bool) -> None:
    r"""List the jobs, oldest first.

    \b
    aurora list --db jobs.db
    aurora list --tag nightly --json
    """
    looking.print_jobs(database, status, tag, as_json=as_json)


@main.command()
@_database
@click.option("--job", metavar="ID", help="Only this job: its id, or its name.")
@click.option("--status", type=click.Choice([*ExecutionStatus]), help="Only executions in this status.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many.")
@_as_json
@_told
def history(database: str, job: str | None, status: str | None, limit: int, as_json: bool) -> None:
    r"""Show what became of the firings, newest first.

    \b
    aurora history --db jobs.db --limit 50
    aurora history --job report --status failed
    """
    looking.print_history(database, job, status, limit, as_json=as_json)


@main.command("next")
@click.argument("schedule")
@click.option("--tz", "timezone", metavar="ZONE", help="An IANA time zone; by default the machine's own.")
@click.option("--count", type=click.IntRange(1, 10_000), default=5, show_default=True, help="So many firings.")
@click.option("--from", "start", metavar="TIME", help="After this time (ISO 8601); by default after now.")
@_as_json
@_told
def next_firings(schedule: str, timezone: str | None, count: int, start: str | None, as_json: bool) -> None:
    r"""Show when a schedule fires next.

    \b
    aurora next "0 9 * * 1-5" --tz Europe/Berlin
    aurora next "every 90 minutes" --count 3 --from "2030-05-28 09:00"
    """
    try:
        after = None if start is None else datetime.fromisoformat(start)
    except ValueError as error:
        raise click.BadParameter(f"{start!r} is not a time like 2030-05-28 15:00", param_hint="--from") from error
    looking.print_next(schedule, timezone, after, count, as_json=as_json)


@main.command()
@click.option(
    "--path",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The directory that is indexed; by default the current one.",
)
@click.option("--seconds", type=click.IntRange(8, 3600), default=20, show_default=True, help="How long it takes.")
@click.option(
    "--db", "database", type=click.Path(dir_okay=False, path_type=Path), help="Keep the database, in this new file."
)
@_told
def demo(path: Path, seconds: int, database: Path | None) -> None:
    r"""See it work: real jobs on real files, and a scheduler that is killed half-way and started again.

    \b
    aurora demo
    aurora demo --path ~/Documents --seconds 30
    """
    if database is not None and database.exists():
        raise click.BadParameter(f"{str(database)!r} is there already; name a new file", param_hint="--db")
    raise SystemExit(demonstration.show(path.resolve(), seconds, database))
