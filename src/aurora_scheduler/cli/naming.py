"""Which job is meant: by its id, or by its name, where only one has it. And what a command is called."""

from __future__ import annotations

import os
import re

import click

from aurora_scheduler.cli.completing import complete_job
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.texts import shortened
from aurora_scheduler.errors import shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Job

__all__ = ["ids_of", "job_argument", "program_in", "program_name", "the_job"]

job_argument = click.argument("job", metavar="JOB", shell_complete=complete_job)

#: What a shell's text is made of: what joins commands, what may stand before one, and what is none.
_JOINS = re.compile(r"&&|\|\||;")
_ASSIGNMENT = re.compile(r"\w+=")
_BEFORE = {"if", "then", "elif", "else", "do", "while", "!", "{", "(", "exec", "nice", "nohup", "sudo"}
_NO_PROGRAMS = {"fi", "done", "esac", "}", ")", "[", "[[", "test"}


async def the_job(manager: SchedulerManager, id_or_name: str) -> Job:
    """The job of this id, or else the one of this name. Raises `Failure` where there is none, or are several."""
    job = await manager.get_job(id_or_name)
    if job is not None:
        return job
    named = await _named(manager, id_or_name)
    if len(named) > 1:
        ids = ", ".join(shown(job.id, 100) for job in named[:10]) + (" and more" if len(named) > 10 else "")
        raise Failure(f"{len(named)} jobs are called {shown(id_or_name, 300)}; say by its id which is meant: {ids}")
    return named[0]


async def ids_of(manager: SchedulerManager, id_or_name: str) -> list[str]:
    """The ids of all the jobs that are meant: also that of a job that is gone, and has left its history."""
    if await manager.get_job(id_or_name) is not None or await manager.get_executions(id_or_name, limit=1):
        return [id_or_name]
    return [job.id for job in await _named(manager, id_or_name)]


async def _named(manager: SchedulerManager, name: str) -> list[Job]:
    named = [job for job in await manager.get_all_jobs() if job.name == name]
    if not named:
        raise Failure(f"no job has the id or the name {shown(name, 300)}; `aurora list` shows the jobs")
    return named


def program_in(text: str) -> str:
    """What people call a shell's command: the program that does the work, which is mostly the last, after conditions.

    >>> program_in("cd /srv && nice /usr/bin/rsync -a . backup:")
    'rsync'
    """
    for part in reversed(_JOINS.split(text)):
        words = [word for word in part.split() if word not in _BEFORE and not _ASSIGNMENT.match(word)]
        if words and words[0] not in _NO_PROGRAMS:
            return program_name(words[0])
    return program_name(next(iter(text.split()), ""))


def program_name(path: str) -> str:
    """What people call a program: its file's name.

    >>> program_name("/bin/df")
    'df'
    """
    name = "".join(char for char in os.path.basename(path) if char.isprintable()).strip()
    return shortened(name or "command", 60)
