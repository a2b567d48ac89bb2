"""`aurora list`, `aurora history`, `aurora next`: the commands that only look."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NoReturn

import anyio
import click

from aurora_scheduler.cli.asking import ask, database_option
from aurora_scheduler.cli.completing import complete_job
from aurora_scheduler.cli.naming import ids_of
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.cli.texts import counted, moment
from aurora_scheduler.cli.views import (
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    execution_row,
    job_row,
    line_of,
)
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, ExecutionStatus, JobStatus
from aurora_scheduler.preview import next_fire_times, parse_schedule

__all__ = ["history", "list_jobs", "upcoming"]

#: How often, in seconds, it is looked what has ended: another process writes it, and the database rings no bell.
_LOOK_EVERY = 0.5


@click.command("list")
@database_option
@click.option("--status", type=click.Choice([each.value for each in JobStatus]), help="Only jobs in this state.")
@click.option("--tag", help="Only jobs with this tag.")
@json_option
def list_jobs(database: str, status: str | None, tag: str | None, as_json: bool) -> None:
    """List the jobs, oldest first.

    \b
    Examples:
      aurora list
      aurora list --db jobs.db --status deactivated
      aurora list --tag nightly --json | jq -r '.[].name'
    """
    jobs = ask(database, lambda manager: manager.get_all_jobs(status, tag))
    if as_json:
        show_json([job.as_dict() for job in jobs])
    elif jobs:
        show_table(JOB_COLUMNS, [job_row(job) for job in jobs])
    else:
        click.echo("no jobs", err=True)


@click.command()
@database_option
@click.option(
    "--job",
    metavar="ID-OR-NAME",
    shell_complete=complete_job,
    help="Only this job; of several with one name, all.",
)
@click.option(
    "--status", type=click.Choice([each.value for each in ExecutionStatus]), help="Only executions in this state."
)
@click.option("--limit", type=click.IntRange(min=1, max=10**9), default=20, show_default=True, help="How many.")
@click.option("--follow", is_flag=True, help="Oldest first, and then whatever ends, until Ctrl-C.")
@json_option
def history(database: str, job: str | None, status: str | None, limit: int, follow: bool, as_json: bool) -> None:
    """Show the executions, newest first: what ran, what did not, and why.

    \b
    Examples:
      aurora history
      aurora history --job nightly --status failed
      aurora history --limit 1000 --json > history.json
      aurora history --follow
    """

    async def executions(manager: SchedulerManager) -> list[Execution]:
        if job is None:
            return await manager.get_executions(status=status, limit=limit)
        found = [row for id_ in await ids_of(manager, job) for row in await manager.get_executions(id_, status, limit)]
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]

    if follow:
        with suppress(KeyboardInterrupt):
            ask(database, partial(_follow, executions, as_json))
        return
    rows = ask(database, executions)
    if as_json:
        show_json([row.as_dict() for row in rows])
    elif rows:
        show_table(EXECUTION_COLUMNS, [execution_row(row) for row in rows])
    else:
        click.echo("no executions", err=True)


def _read_time(ctx: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f'{text!r} is not a time; accepted: "2030-05-28", "2030-05-28 15:00+02:00"') from None


async def _follow(
    executions: Callable[[SchedulerManager], Awaitable[list[Execution]]], as_json: bool, manager: SchedulerManager
) -> NoReturn:
    """Show what has ended, and then whatever ends, each once: a line each, also as JSON."""
    told: set[str] = set()
    while True:
        found = await executions(manager)
        for row in reversed(found):
            if row.status.is_final and row.id not in told:
                click.echo(json.dumps(row.as_dict()) if as_json else line_of(row))
        told = {row.id for row in found if row.status.is_final}  # older ones are not found again
        await anyio.sleep(_LOOK_EVERY)


@click.command("next")
@click.argument("schedule")
@click.option("--tz", metavar="ZONE", help="The time zone, like Europe/Berlin.  [default: the machine's own]")
@click.option(
    "--count", type=click.IntRange(min=1, max=100_000), default=5, show_default=True, help="How many firings."
)
@click.option("--from", "start", metavar="TIME", callback=_read_time, help="Firings after this time.  [default: now]")
@click.option("--exclude", metavar="DATE", multiple=True, help="A date without firings; can be given again.")
@click.option("--between", metavar="FIRST LAST", nargs=2, help="Only from one time of the day to another.")
@json_option
def upcoming(
    schedule: str,
    tz: str | None,
    count: int,
    start: datetime | None,
    exclude: tuple[str, ...],
    between: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Show what a SCHEDULE means and when it fires next; days that daylight saving makes odd are marked.

    \b
    Examples:
      aurora next "0 9 * * 1-5"
      aurora next "every monday and thursday at 8:30" --count 3
      aurora next "every 90 minutes" --between 9am 5pm --exclude 2030-12-25
      aurora next "30 2 * * *" --tz Europe/Berlin --from 2030-03-30
    """
    said = parse_schedule(schedule, tz, start, exclude_dates=exclude, only_between=between)
    found = next_fire_times(schedule, tz, start, count, explain=True, exclude_dates=exclude, only_between=between)
    firing = [each for each in found if each.mark != "excluded"]
    if as_json:
        show_json([each.time.isoformat() for each in firing])
        return
    click.echo(said.describe(), err=True)
    for each in found:
        click.echo(f"{moment(each.time)}  {each.time:%a}{f'  {each.mark}: {each.note}' if each.mark else ''}")
    if len(firing) < count:
        click.echo(f"{counted(len(firing), 'firing')}, and none after", err=True)
