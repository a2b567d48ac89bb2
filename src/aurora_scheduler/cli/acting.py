"""`aurora pause`, `resume`, `trigger` and `delete`: what a person does to a job, beside the process that fires it."""

from __future__ import annotations

from datetime import timedelta

import anyio
import click

from aurora_scheduler.cli.asking import ask, database_option
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.naming import job_argument, the_job
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.saying import SECONDS
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.cli.texts import span
from aurora_scheduler.cli.views import EXECUTION_COLUMNS, execution_row, state_of
from aurora_scheduler.errors import printable, shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus

__all__ = ["delete", "pause", "resume", "trigger"]

#: How often, in seconds, it is looked whether a run has ended.
_LOOK_EVERY = 0.1


@click.command()
@job_argument
@click.option("--cancel-running", is_flag=True, help="And cancel what runs of it.")
@database_option
def pause(job: str, cancel_running: bool, database: str) -> None:
    """Pause JOB, by its id or name: it does not fire until it is resumed.

    \b
    Examples:
      aurora pause nightly
      aurora pause nightly --cancel-running
    """

    async def put_to_rest(manager: SchedulerManager) -> Job:
        found = await the_job(manager, job)
        await manager.deactivate_job(found.id, cancel_running)
        return await the_job(manager, found.id)

    click.echo(state_of(ask(database, put_to_rest)))


@click.command()
@job_argument
@database_option
def resume(job: str, database: str) -> None:
    """Let JOB fire again, from now on: one that was paused, or deactivated after its failures.

    \b
    Example:
      aurora resume nightly
    """

    async def let_fire(manager: SchedulerManager) -> tuple[Job, bool]:
        found = await the_job(manager, job)
        fires = await manager.activate_job(found.id)
        return await the_job(manager, found.id), fires

    after, fires = ask(database, let_fire)
    if after.status is JobStatus.UNRESOLVED:
        told = f"job {shown(after.name, 300)} is unresolved: {after.status_reason}"
        raise Failure(f"{told}; when it is there, a scheduler that fires finds it within a minute, or at its start")
    if not fires:
        raise Failure(f"job {shown(after.name, 300)} has no firing to come, and stays {after.status}")
    click.echo(state_of(after))


@click.command()
@job_argument
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@database_option
def delete(job: str, yes: bool, database: str) -> None:
    """Delete JOB. What runs of it goes on, and its history stays.

    \b
    Example:
      aurora delete nightly --yes
    """

    async def find(manager: SchedulerManager) -> Job:
        return await the_job(manager, job)

    found = ask(database, find)
    if not yes:
        click.confirm(printable(f"Delete job {found.name!r} ({found.id})?"), abort=True, err=True)

    async def remove(manager: SchedulerManager) -> bool:
        return await manager.delete_job(found.id)

    if not ask(database, remove):
        raise Failure(f"job {shown(found.name, 300)} is gone already")
    click.echo(printable(f"deleted {found.name} ({found.id})"))


@click.command()
@job_argument
@click.option("--wait", is_flag=True, help="Until it has ended; exit code 1 unless it succeeded.")
@click.option("--timeout", metavar="SECONDS", type=SECONDS, help="With --wait: how long at most.  [default: ever]")
@database_option
@json_option
def trigger(job: str, wait: bool, timeout: float | None, database: str, as_json: bool) -> None:
    """Have JOB run now, by hand, whatever its schedule; also a paused one. Its next firing stays as it is.

    It runs in the process that fires this database's jobs; where there is none, as soon as there is.

    \b
    Examples:
      aurora trigger nightly
      aurora trigger nightly --wait --timeout 600
    """

    async def run(manager: SchedulerManager) -> Execution:
        asked = await manager.run_job((await the_job(manager, job)).id)
        if not wait:
            return asked
        with anyio.move_on_after(timeout):
            # Another process writes its end, and the database rings no bell.
            while not (row := await manager.get_execution(asked.id) or asked).status.is_final:  # noqa: ASYNC110
                await anyio.sleep(_LOOK_EVERY)
            return row
        return await manager.get_execution(asked.id) or asked

    row = ask(database, run)
    if as_json:
        show_json(row.as_dict())
    else:
        show_table(EXECUTION_COLUMNS, [execution_row(row)])
    if not wait or row.status is ExecutionStatus.SUCCEEDED:
        return
    if not row.status.is_final:
        after = span(timedelta(seconds=timeout or 0))
        waits = "it runs as soon as a scheduler fires this database's jobs that can run it; `aurora doctor` tells more"
        state = waits if row.started_at is None else "it still runs"
        raise Failure(f"execution {row.id} has not ended after {after}; {state}")
    raise Failure(f"{row.status}: {row.error or row.reason or 'no reason was given'}")
