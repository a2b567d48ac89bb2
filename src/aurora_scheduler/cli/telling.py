"""`aurora show`, `aurora why`: all there is to say of one job, and what became of one of its firings."""

from __future__ import annotations

import json
from typing import Any

import click

from aurora_scheduler.answers import Explanation, Outlook
from aurora_scheduler.cli.asking import ask, database_option
from aurora_scheduler.cli.naming import job_argument, the_job
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.tables import plain_lines, show_table
from aurora_scheduler.cli.texts import moment, outcome, shortened
from aurora_scheduler.cli.views import (
    EXECUTION_COLUMNS,
    execution_row,
    options_said,
    plain_change,
)
from aurora_scheduler.errors import ScheduleError, printable
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, Job

__all__ = ["show", "why"]

#: How many firings to come are shown, and how many of the past.
_FIRINGS, _EXECUTIONS = 5, 5


@click.command()
@job_argument
@database_option
@json_option
def show(job: str, database: str, as_json: bool) -> None:
    """Show all there is to say of one JOB, by its id or name: its schedule in words, its next firings, its last ones.

    \b
    Examples:
      aurora show nightly
      aurora show 0006553f1b --db jobs.db --json
    """

    async def look(manager: SchedulerManager) -> tuple[Job, Outlook, list[Execution]]:
        found = await the_job(manager, job)
        try:
            outlook = await manager.outlook(found.id, _FIRINGS)
        except ScheduleError as error:  # its zone is unknown here
            outlook = Outlook(job_id=found.id, description=f"({error})", next_run_times=())
        return found, outlook, await manager.get_executions(found.id, limit=_EXECUTIONS)

    found, outlook, executions = ask(database, look)
    if as_json:
        times = [each.isoformat() for each in outlook.next_run_times]
        said = {"description": outlook.description, "next_run_times": times, "options": options_said(found)}
        show_json(found.as_dict() | said | {"executions": [row.as_dict() for row in executions]})
        return
    for line in _lines(found, outlook):
        click.echo(line)
    if executions:
        click.echo("")
        show_table(EXECUTION_COLUMNS, [execution_row(row) for row in executions], "the last of its history")


def _lines(job: Job, outlook: Outlook) -> list[str]:
    status = f"{job.status}: {job.status_reason}" if job.status_reason else str(job.status)
    first, *more = [moment(each) for each in outlook.next_run_times] or ["none"]
    facts = [
        ("name", job.name),
        ("id", job.id),
        ("status", status),
        ("schedule", job.schedule_value),
        ("in words", outlook.description),
        ("next firings", first),
        *(("", each) for each in more),
        ("callback", str(job.callback)),
        *([("arguments", json.dumps(dict(job.callback_args)))] if job.callback_args else []),
        *([("tags", ", ".join(job.tags))] if job.tags else []),
        *(_said(name, value) for name, value in options_said(job).items()),
        ("created", moment(job.created_at)),
        ("changed", moment(job.updated_at)),
        *([("last run", f"{moment(job.last_run_time)}: {outcome(job.last_run_result)}")] if job.last_run_time else []),
        *([("failures", f"{job.retry_count} in a row")] if job.retry_count else []),
    ]
    _, *lines = plain_lines(("", ""), [[name, shortened(printable(text), 1000)] for name, text in facts])
    return lines


def _said(name: str, value: Any) -> tuple[str, str]:
    return name, value if isinstance(value, str) else json.dumps(value)


@click.command()
@job_argument
@click.option(
    "--at", metavar="TIME", required=True, help="Which firing: a time, in the job's zone if it names none; or now."
)
@database_option
@json_option
def why(job: str, at: str, database: str, as_json: bool) -> None:
    """Say why JOB ran at a time, or why it did not.

    \b
    Examples:
      aurora why nightly --at now
      aurora why nightly --at "2030-05-28 02:00"
      aurora why nightly --at "2030-05-28T02:00+02:00" --json
    """

    async def explain(manager: SchedulerManager) -> Explanation:
        return await manager.explain((await the_job(manager, job)).id, at)

    told = ask(database, explain)
    if as_json:
        rows = [row.as_dict() for row in told.executions]
        changes = [plain_change(each, told.timezone) for each in told.changes]
        answer = {"job_id": told.job_id, "asked_for": told.asked_for.isoformat(), "verdict": told.verdict}
        show_json(answer | {"text": told.text, "executions": rows, "changes": changes})
        return
    click.echo(printable(f"{moment(told.asked_for)}: {told.text}"))
    if told.executions:
        click.echo("")
        show_table(EXECUTION_COLUMNS, [execution_row(row) for row in told.executions])
