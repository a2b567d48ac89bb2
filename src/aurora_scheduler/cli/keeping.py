"""`aurora backup`, `aurora doctor`: what keeps a database safe, and says how it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from aurora_scheduler import commands
from aurora_scheduler.cli.asking import ask, database_option, refuse_missing
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.cli.texts import counted, shortened, size
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import StoreError, shown
from aurora_scheduler.instants import SECOND
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Job, JobStatus
from aurora_scheduler.ports import Store
from aurora_scheduler.stores import Use, examine, file_of, move, open_store, use_of

__all__ = ["backup", "doctor", "migrate"]

#: A job is overdue that has not begun so many seconds after it was due.
_LATE = 60
#: How many jobs of a kind are named.
_NAMED = 5

#: One thing that was looked at: what, how it is ("ok", "note" or "wrong"), and more about it.
_Finding = tuple[str, str, str]


@click.command()
@click.argument("file")
@database_option
def backup(file: str, database: str) -> None:
    """Copy the whole database, as it is now, to a new FILE, while others go on working on it.

    \b
    Example:
      aurora backup jobs-2030-05-28.db --db jobs.db
    """

    async def copy(manager: SchedulerManager) -> None:
        await manager.backup(file)

    ask(database, copy)
    click.echo(f"{shown(file, 300)}: {size(os.stat(file).st_size)}")


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def migrate(source: str, target: str) -> None:
    """Copy a whole database FROM one place TO a new one, with its history.

    Each is the path of a file, or postgresql://user@host/name. Nobody may fire its jobs meanwhile. The copy is compared
    with it row by row, and all or nothing is written; the database that is copied stays as it is: do not fire it.

    \b
    Examples:
      aurora migrate jobs.db postgresql://me@host/jobs
      aurora migrate postgresql://me@host/jobs jobs.db
    """
    for database in (source, target):
        SchedulerManager(database)  # which refuses what cannot name a database
    refuse_missing(source, named="as FROM")
    if use_of(target) is Use.MEMORY:
        raise Failure("what is in memory is gone when the command ends; give a file, or a server's database")
    counts = move(source, target)
    told = [counted(count, noun) for count, noun in zip(counts.values(), ("job", "execution", "change"), strict=True)]
    click.echo(f"copied and compared: {', '.join(told)}")


@click.command()
@database_option
@json_option
def doctor(database: str, as_json: bool) -> None:
    """Look whether all is well with a database, and with the jobs in it. Nothing is changed.

    Exit code 1 where something is wrong.

    \b
    Examples:
      aurora doctor
      aurora doctor --db jobs.db --json
    """
    SchedulerManager(database)  # which refuses what cannot name a database
    refuse_missing(database)
    findings = list(_findings(database))
    if as_json:
        show_json([{"what": what, "state": state, "detail": detail} for what, state, detail in findings])
    else:
        show_table(("looked at", "state", "found"), findings)
    wrong = sum(state == "wrong" for _, state, _ in findings)
    if wrong:
        raise Failure(f"{counted(wrong, 'thing')} of {len(findings)} {'is' if wrong == 1 else 'are'} not well")


def _findings(database: str) -> Iterator[_Finding]:
    try:
        found = examine(database)
    except StoreError as error:
        yield "database" if file_of(database) is None else "file", "wrong", str(error)
        return
    log = "" if found.log_size is None else f", and {size(found.log_size)} in its log"
    yield found.kind, "ok", f"{found.place}, {size(found.size)}{log}"
    if found.damage is not None:
        yield "integrity", *_state("wrong", "; ".join(found.damage), "every page and index is as it should be")
    yield "schema", *_state("note", found.behind, f"version {found.version}")
    nobody = "no process fires the jobs just now"
    yield "owner", *_state("note", "" if found.owner else nobody, found.owner or "")
    store = open_store(database).reader()
    assert store is not None
    try:
        store.open()
        yield from _of_jobs(store, is_fired=found.owner is not None, tags=found.tags)
    except StoreError as error:
        yield "jobs", "wrong", str(error)
    finally:
        store.close()


def _of_jobs(store: Store, *, is_fired: bool, tags: frozenset[str] | None) -> Iterator[_Finding]:
    jobs = store.jobs()
    by_status = {status: [job for job in jobs if job.status is status] for status in JobStatus}
    told = ", ".join(f"{len(some):,} {status}" for status, some in by_status.items() if some)
    yield "jobs", "ok", told or "none"
    now = SystemClock().now()
    late = [job for job in by_status[JobStatus.ACTIVE] if (job.next_due or now) < now - _LATE * SECOND]
    begin = datetime.fromtimestamp(now // SECOND, UTC) - timedelta(seconds=_LATE)
    in_time = f"all that was due before {begin:%H:%M:%S} UTC has begun"
    yield "overdue", *_state("wrong" if is_fired else "note", _names(late), in_time)
    if tags is not None and is_fired:
        without = [job for job in by_status[JobStatus.ACTIVE] if not job.policies.is_for(tags)]
        asked = ", ".join(sorted({str(job.node_tag) for job in without}))
        nobody = f"no process has the node_tag of {_names(without)} ({asked})" if without else ""
        yield "node tags", *_state("wrong", nobody, "for every job there is a process")
    unresolved = by_status[JobStatus.UNRESOLVED]
    yield "unresolved", *_state("wrong", _names(unresolved), "every callback and time zone was found")
    yield "deactivated", *_state("note", _names(by_status[JobStatus.DEACTIVATED]), "no job has used up its retries")
    outdated = set(commands.outdated_jobs(store))
    other = "every next firing was worked out with the zone data there are here"
    yield "zone data", *_state("note", _names([job for job in jobs if job.id in outdated]), other)


def _state(state: str, found: str, else_: str) -> tuple[str, str]:
    return (state, found) if found else ("ok", else_)


def _names(jobs: list[Job]) -> str:
    told = [f"{job.name}: {shortened(job.status_reason)}" if job.status_reason else job.name for job in jobs[:_NAMED]]
    more = len(jobs) - len(told)
    return "; ".join([*told, *([f"and {more:,} more"] if more else [])])
