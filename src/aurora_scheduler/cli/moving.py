"""`aurora import-crontab`, `aurora import-apscheduler`: what others fire, as jobs."""

from __future__ import annotations

import getpass
import hashlib
import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from aurora_scheduler import programs
from aurora_scheduler.cli.apscheduler import Carried, NotCarried, carried, stored_jobs
from aurora_scheduler.cli.asking import ask, database_option, is_there
from aurora_scheduler.cli.crontab import CronLine, NotImported, read_crontab
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.importing import import_from_here
from aurora_scheduler.cli.naming import program_in
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.cli.texts import counted, shortened
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.definition import NewJob, declare, refuse_never
from aurora_scheduler.errors import AuroraError, shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Job
from aurora_scheduler.preview import parse_schedule
from aurora_scheduler.schedules import local_zone_name

__all__ = ["import_apscheduler", "import_crontab"]

#: Directories and files whose lines name a user.
_SYSTEM = (Path("/etc/crontab"), Path("/etc/cron.d"))
#: Variables that are cron's own, and none of the command's.
_CRONS_OWN = ("CRON_TZ", "MAILTO", "MAILFROM", "SHELL")


@dataclass(frozen=True, kw_only=True)
class _Imported:
    line: CronLine
    job: NewJob
    job_id: str
    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Origin:
    """Where a crontab is; "-" is standard input."""

    path: str

    @property
    def name(self) -> str:
        """What people call it."""
        return "crontab" if self.path == "-" else shortened(Path(self.path).name, 100)

    @property
    def mark(self) -> str:
        """What the ids of its jobs begin with, and those of no other file of that name."""
        return f"crontab:{self.name}:{_digest(self.path)}"


@click.command("import-crontab")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--system/--user", "is_system", default=None, help="Whether lines name a user.  [default: those of /etc do]"
)
@click.option("--tz", metavar="ZONE", help="The time zone where CRON_TZ says none.  [default: the machine's own]")
@click.option("--dry-run", is_flag=True, help="Only show what would be imported.")
@click.option("--prune", is_flag=True, help="Delete the jobs of lines that are not there any more.")
@click.option("--yes", is_flag=True, help="Do not ask before jobs are deleted.")
@database_option
@json_option
def import_crontab(
    file: str,
    is_system: bool | None,
    tz: str | None,
    dry_run: bool,
    prune: bool,
    yes: bool,
    database: str,
    as_json: bool,
) -> None:
    """Make a job of every line of the crontab FILE that can be one; the others are told of, with the reason.

    A line that is imported again makes no second job; a line that was changed is another one, and the job of the old
    line is told of, and stays unless it is to be pruned. A file is known by its whole path; what comes from standard
    input is one file. As under cron, a command that fails is not tried again; unlike there, it does not begin while it
    still runs, and what came due while the machine was off runs once when it is back. A missing database is made.

    \b
    Examples:
      crontab -l | aurora import-crontab - --dry-run
      aurora import-crontab /etc/cron.d/sysstat --db jobs.db
    """
    path = Path(file)
    if is_system is None:
        is_system = any(path.resolve().is_relative_to(place) for place in _SYSTEM)
    try:
        with click.open_file(file, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except OSError as error:
        raise Failure(f"{shown(file, 300)} cannot be read: {error}") from error
    origin = _Origin("-") if file == "-" else _Origin(str(path.resolve()))
    taken: set[str] = set()
    found = [_read(line, origin, tz, taken) for line in read_crontab(text, has_user=is_system)]
    jobs = [each.job for each in found if isinstance(each, _Imported)]

    async def look(manager: SchedulerManager) -> list[Job]:
        there = await manager.get_all_jobs(tag="crontab")
        return [job for job in there if job.id.startswith(f"{origin.mark}:") and job.id not in taken]

    left = ask(database, look) if is_there(database) else []
    if left and prune and not dry_run and not yes:
        names = ", ".join(shown(job.name) for job in left)
        click.confirm(f"Delete {counted(len(left), 'job')}, whose lines are gone: {names}?", abort=True, err=True)

    async def carry_out(manager: SchedulerManager) -> None:
        await manager.create_jobs(jobs)
        for job in left if prune else ():
            await manager.delete_job(job.id)

    if not dry_run and (jobs or (left and prune)):
        ask(database, carry_out, makes=True)
    state = ("would be deleted" if dry_run else "deleted") if prune else "left"
    gone = [{"state": state, "id": job.id, "name": job.name} for job in left]
    if as_json:
        show_json([*(_plain(each) for each in found), *gone])
        return
    rows = [["", "", each["name"], f"{state}: its line is not there any more ({each['id']})"] for each in gone]
    show_table(("line", "schedule", "job", "found"), [*(_row(each) for each in found), *rows])
    verb = "would be imported" if dry_run else "imported"
    told = f"{counted(len(jobs), 'job')} {verb}, {counted(len(found) - len(jobs), 'line')} refused"
    click.echo(f"{told}, {len(left):,} {state}" if left else told, err=True)


@click.command("import-apscheduler")
@click.argument("url")
@click.option("--table", default="apscheduler_jobs", show_default=True, help="The table of its SQLAlchemyJobStore.")
@click.option("--dry-run", is_flag=True, help="Only show what would be imported.")
@database_option
@json_option
def import_apscheduler(url: str, table: str, dry_run: bool, database: str, as_json: bool) -> None:
    """Make jobs of those that APScheduler 3 has in its SQLAlchemyJobStore at URL; what cannot be one is told of.

    Its jobs are pickles: call this in the environment of the program that has them, and only for a database that you
    trust. They keep their ids, and what is paused stays so. Nothing is changed there. A missing database is made.

    \b
    Examples:
      aurora import-apscheduler sqlite:///apscheduler.db --dry-run
      aurora import-apscheduler postgresql://localhost/shop --db jobs.db
    """
    import_from_here()
    found = [_checked(carried(job_id, pickled)) for job_id, pickled in stored_jobs(url, table)]
    jobs = [each for each in found if isinstance(each, Carried)]
    if jobs and not dry_run:

        async def create(manager: SchedulerManager) -> None:
            there = {job.id for job in await manager.get_all_jobs()}
            await manager.create_jobs([each.job for each in jobs])
            for each in jobs:
                if each.is_paused and each.job_id not in there:
                    await manager.deactivate_job(each.job_id)

        ask(database, create, makes=True)
    if as_json:
        show_json([_plain_job(each) for each in found])
        return
    rows = [
        [each.job_id, each.job.schedule, "; ".join(["paused" if each.is_paused else "ok", *each.notes])]
        if isinstance(each, Carried)
        else [each.job_id, "", f"refused: {each.reason}"]
        for each in found
    ]
    show_table(("job", "schedule", "found"), rows)
    verb = "would be imported" if dry_run else "imported"
    click.echo(f"{counted(len(jobs), 'job')} {verb}, {len(found) - len(jobs):,} refused", err=True)


def _checked(found: Carried | NotCarried) -> Carried | NotCarried:
    """Refused, too, where it is refused when it is made."""
    if isinstance(found, Carried):
        clock = SystemClock()
        try:
            refuse_never(declare(found.job, now=clock.now(), new_id=clock.new_id, timezone=local_zone_name()).job)
        except AuroraError as error:
            return NotCarried(job_id=found.job_id, reason=str(error))
    return found


def _plain_job(found: Carried | NotCarried) -> dict[str, Any]:
    if isinstance(found, NotCarried):
        return {"id": found.job_id, "state": "refused", "reason": found.reason}
    options = {name: str(value) if isinstance(value, datetime) else value for name, value in found.job.options.items()}
    return {
        "id": found.job_id,
        "state": "imported",
        "is_paused": found.is_paused,
        "schedule": found.job.schedule,
        "callback": found.job.callback,
        "callback_args": found.job.callback_args,
        "options": options,
        "notes": list(found.notes),
    }


def _read(line: CronLine | NotImported, origin: _Origin, tz: str | None, taken: set[str]) -> _Imported | NotImported:
    if isinstance(line, NotImported):
        return line
    zone = line.timezone or tz
    text = f"{line.schedule} {line.command}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return NotImported(number=line.number, text=text, reason="its command is no text in UTF-8")
    try:
        parse_schedule(line.schedule, zone)
        name = program_in(line.command)
        job_id = _id(origin, line, taken)
        said: dict[str, Any] = {} if zone is None else {"timezone": zone}
        job = NewJob(
            name=name,
            schedule=line.schedule,
            callback=programs.run,
            callback_args=_arguments(line),
            job_id=job_id,
            if_exists="update",
            tags=["crontab", origin.name],
            max_retries=0,
            on_exhausted="continue",
            **said,
        )
    except AuroraError as error:
        return NotImported(number=line.number, text=text, reason=str(error))
    return _Imported(line=line, job=job, job_id=job_id, name=name, notes=tuple(_notes(line)))


def _arguments(line: CronLine) -> dict[str, Any]:
    command = [line.shell, "-c", line.command]
    if line.user is not None and line.user != getpass.getuser():
        command = ["runuser", "-u", line.user, "--", *command]
    variables = {name: value for name, value in line.variables.items() if name not in _CRONS_OWN}
    directory = variables.get("HOME") or _home(line.user)
    said = {"environment": variables, "directory": directory, "stdin": line.stdin}
    return {"command": command} | {name: value for name, value in said.items() if value}


def _home(user: str | None) -> str | None:
    """Where cron runs a user's commands; None for a user that there is not."""
    try:
        return pwd.getpwnam(user).pw_dir if user is not None else pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None


def _notes(line: CronLine) -> list[str]:
    mail = line.variables.get("MAILTO")
    return [
        *([f"nothing is mailed to {mail}: the output is in the history"] if mail else []),
        *([f"by runuser as {line.user}"] if line.user is not None and line.user != getpass.getuser() else []),
    ]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=5).hexdigest()


def _id(origin: _Origin, line: CronLine, taken: set[str]) -> str:
    """The same for the same line of the same file, wherever in it that stands."""
    key = "\0".join((line.schedule, line.user or "", line.command, line.stdin))
    base = f"{origin.mark}:{_digest(key)}"
    job_id, again = base, 1
    while job_id in taken:  # the very same line twice
        again += 1
        job_id = f"{base}:{again}"
    taken.add(job_id)
    return job_id


def _row(found: _Imported | NotImported) -> list[str]:
    if isinstance(found, NotImported):
        return [str(found.number), "", shortened(found.text, 60), f"refused: {found.reason}"]
    told = "; ".join(["ok", *found.notes])
    return [str(found.line.number), found.line.schedule, found.name, told]


def _plain(found: _Imported | NotImported) -> dict[str, Any]:
    if isinstance(found, NotImported):
        return {"line": found.number, "state": "refused", "text": found.text, "reason": found.reason}
    return {
        "line": found.line.number,
        "state": "imported",
        "schedule": found.line.schedule,
        "timezone": found.line.timezone,
        "name": found.name,
        "id": found.job_id,
        "callback_args": _arguments(found.line),
        "notes": list(found.notes),
    }
