"""`aurora apply`, `aurora export`: jobs that a file says, and a file of the jobs that there are."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import click

from aurora_scheduler.cli.asking import ask, database_option, is_there
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.files import place_of, read_jobs, said_of, written
from aurora_scheduler.cli.importing import import_from_here
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.texts import counted
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.definition import NewJob, declare_all, refuse_never
from aurora_scheduler.errors import AuroraError, printable, shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Job, JobStatus
from aurora_scheduler.schedules import local_zone_name

__all__ = ["apply", "export"]

#: What is going to happen to a job: how, its id, and what of it is said otherwise than it is: before, and after.
_Step = tuple[str, str, dict[str, tuple[Any, Any]]]
_SIGNS = {"add": "+", "change": "~", "delete": "-", "keep": " "}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--prune", is_flag=True, help="Delete jobs that the file does not say.")
@click.option("--yes", is_flag=True, help="Do not ask before jobs are deleted.")
@database_option
@json_option
def apply(file: str, dry_run: bool, prune: bool, yes: bool, database: str, as_json: bool) -> None:
    """Make the jobs of a database as the TOML FILE says, and show what changes.

    All is done, or, where one job is refused, nothing. What has run, and what is paused, stays. To apply a file again
    changes nothing. A missing database is made.

    \b
    Example of a file:
      [jobs.report]
      schedule = "0 2 * * *"
      timezone = "Europe/Berlin"
      callback = "shop.jobs.report"
      callback_args = { days = 7 }
      max_retries = 5

    \b
    Examples:
      aurora apply jobs.toml --dry-run
      aurora apply jobs.toml --prune
    """
    import_from_here()
    try:
        with click.open_file(file, encoding="utf-8") as stream:
            wanted = read_jobs(stream.read())
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{shown(file, 300)} cannot be read: {error}") from error
    jobs = _declared(wanted)  # first: where one is refused, no database is made
    there = is_there(database)
    if not there:
        _refuse_never(jobs.values())

    async def compare(manager: SchedulerManager) -> list[_Step]:
        return _steps({job.id: job for job in await manager.get_all_jobs()}, jobs, prune=prune)

    steps = ask(database, compare, makes=True) if there or not dry_run else _steps({}, jobs, prune=prune)
    if there:
        _refuse_never(jobs[job_id] for what, job_id, _ in steps if what == "add")
    if as_json:
        show_json([{"what": what, "id": job_id, "changes": _plain(changes)} for what, job_id, changes in steps])
    else:
        for line in map(_lines, steps):
            click.echo(line, nl=bool(line))
    counts = {what: sum(each[0] == what for each in steps) for what in _SIGNS}
    told = ", ".join(f"{counts[what]} to {what}" for what in _SIGNS)
    click.echo(f"{counted(len(steps), 'job')}: {told}{'; nothing was done' if dry_run else ''}", err=True)
    gone = [job_id for what, job_id, _ in steps if what == "delete"]
    if dry_run or counts["keep"] == len(steps):
        return
    if gone and not yes:
        click.confirm(f"Delete {counted(len(gone), 'job')}?", abort=True, err=True)

    async def carry_out(manager: SchedulerManager) -> None:
        await manager.create_jobs(wanted.values())
        for job_id in gone:
            await manager.delete_job(job_id)

    ask(database, carry_out, makes=True)


@click.command()
@database_option
@click.option("--tag", help="Only jobs with this tag.")
def export(database: str, tag: str | None) -> None:
    """Write the jobs as the TOML file that `aurora apply` reads, to standard output. Finished ones are left out.

    \b
    Example:
      aurora export > jobs.toml
    """
    import tomli_w

    jobs = ask(database, lambda manager: manager.get_all_jobs(tag=tag))
    said = written(job for job in jobs if job.status is not JobStatus.FINISHED)
    nothing = "# There is no job. Each is a table [jobs.ID], with schedule and callback.\n"
    click.echo(tomli_w.dumps(said) if said["jobs"] else nothing, nl=False)


def _declared(wanted: Mapping[str, NewJob]) -> dict[str, Job]:
    """The jobs as they are going to be. Raises the error of the first that is refused."""
    clock = SystemClock()
    declared = declare_all(wanted.values(), now=clock.now(), new_id=clock.new_id, timezone=local_zone_name())
    jobs: dict[str, Job] = {}
    for job_id in wanted:
        with _told_where(job_id):
            jobs[job_id] = next(declared).job
    return jobs


def _refuse_never(jobs: Iterable[Job]) -> None:
    """Raise where one of these, which are to be made, would never fire."""
    for job in jobs:
        with _told_where(job.id):
            refuse_never(job)


@contextmanager
def _told_where(job_id: str) -> Generator[None]:
    """Whatever is wrong with a job is told with its place in the file."""
    try:
        yield
    except AuroraError as error:
        raise Failure(f"{place_of(job_id)}: {error}") from error


def _steps(there: Mapping[str, Job], wanted: Mapping[str, Job], *, prune: bool) -> list[_Step]:
    steps: list[_Step] = []
    for job_id, job in wanted.items():
        if job_id not in there:
            steps.append(("add", job_id, {name: (None, value) for name, value in said_of(job).items()}))
            continue
        before, after = said_of(there[job_id]), said_of(job)
        changes = {
            name: (before.get(name), after.get(name))
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        }
        steps.append(("change" if changes else "keep", job_id, changes))
    gone = [job for job_id, job in there.items() if job_id not in wanted and job.status is not JobStatus.FINISHED]
    return [*steps, *(("delete", job.id, {}) for job in gone if prune)]


def _lines(step: _Step) -> str:
    what, job_id, changes = step
    if what == "keep":
        return ""
    lines = [f"{_SIGNS[what]} {job_id}"]
    for name, (before, after) in changes.items():
        lines.append(f"    {name}: {after!r}" if what == "add" else f"    {name}: {before!r} -> {after!r}")
    return "\n".join(map(printable, lines))


def _plain(changes: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: {"before": before, "after": after} for name, (before, after) in changes.items()}
