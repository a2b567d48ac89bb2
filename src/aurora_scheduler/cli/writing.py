"""`aurora add`, `aurora edit`: jobs made and changed, checked as in a program."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from aurora_scheduler import programs
from aurora_scheduler.callbacks import name_of
from aurora_scheduler.cli.asking import ask, database_option
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.importing import import_from_here
from aurora_scheduler.cli.naming import job_argument, program_in, program_name, the_job
from aurora_scheduler.cli.plain import json_option, show_json
from aurora_scheduler.cli.saying import read_pairs, read_texts
from aurora_scheduler.cli.views import state_of
from aurora_scheduler.definition import IF_EXISTS
from aurora_scheduler.errors import shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Job

__all__ = ["add", "edit"]

#: The callback of jobs that are a command.
_RUN = name_of(programs.run)

tz_option = click.option(
    "--tz", metavar="ZONE", help="Its time zone, like Europe/Berlin.  [default: the machine's own]"
)
tag_option = click.option("--tag", "tags", multiple=True, help="A tag; can be given again.")
args_option = click.option(
    "--arg",
    "args",
    metavar="NAME=VALUE",
    multiple=True,
    callback=read_pairs,
    help="An argument of the callback; can be given again. A value that is JSON is that.",
)
cwd_option = click.option(
    "--cwd",
    metavar="DIRECTORY",
    type=click.Path(exists=True, file_okay=False),
    help="Where the command runs.  [default: where the scheduler does]",
)
options_option = click.option(
    "--set",
    "options",
    metavar="OPTION=VALUE",
    multiple=True,
    callback=read_pairs,
    help='An option, like max_retries=3 or timeout="5 minutes"; can be given again.',
)


class _CommandLast(click.Command):
    """The words of a command are those after `--`: others belong to a schedule that was not quoted."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, and see where the words stand."""
        after = len(args) - args.index("--") - 1 if "--" in args else 0
        rest = super().parse_args(ctx, args)
        words = list(ctx.params.get("command") or [])
        if len(words) > after and not ctx.resilient_parsing:
            raise click.UsageError(
                f"{shown(words[0])} does not stand after --: a schedule of several words is quoted, and a command "
                'comes after --, as in `aurora add "every 5 minutes" -- df -h /`',
                ctx,
            )
        return rest


@click.command(cls=_CommandLast)
@click.argument("schedule")
@click.option("--name", help="What people call the job.  [default: the command's program]")
@click.argument("command", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--callback", metavar="MODULE.FUNCTION", help="What it calls; or say a command after --.")
@args_option
@click.option("--shell", is_flag=True, help="Have /bin/sh read the command, which is one text then.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, callback=read_texts, help="A variable for the command.")
@cwd_option
@click.option("--id", "job_id", help="Its id.  [default: a new one]")
@click.option("--if-exists", type=click.Choice(IF_EXISTS), help="What to do where there is a job of this id.")
@tz_option
@tag_option
@options_option
@database_option
@json_option
def add(
    schedule: str,
    command: tuple[str, ...],
    name: str | None,
    callback: str | None,
    args: dict[str, Any],
    shell: bool,
    env: dict[str, str],
    cwd: str | None,
    job_id: str | None,
    if_exists: str | None,
    tz: str | None,
    tags: tuple[str, ...],
    options: dict[str, Any],
    database: str,
    as_json: bool,
) -> None:
    """Add a job that fires by SCHEDULE, and calls MODULE.FUNCTION or runs a COMMAND. A missing database is made.

    Modules of the current directory can be imported, here as by `aurora run`. A command is run without a shell.

    \b
    Examples:
      aurora add "every 5 minutes" --name look --callback shop.jobs.look
      aurora add "0 2 * * *" --name report --callback shop.jobs.report --arg days=7 --tz Europe/Berlin
      aurora add "every 5 minutes" --set timeout="1 minute" -- df -h /
      aurora add "0 3 * * *" --name tidy --shell -- "find /tmp/shop -mtime +7 | xargs rm -f"
      aurora add "every 1 hour" --name fetch --callback shop.jobs.fetch --set max_retries=5 --set timeout="2 minutes"
    """
    import_from_here()
    if (callback is None) == (not command):
        raise click.UsageError("say what it does: either --callback MODULE.FUNCTION, or a command after --")
    if callback is None and args:
        raise click.UsageError("--arg is for a callback; what a command is given stands after it")
    if callback is not None and (shell or env or cwd):
        raise click.UsageError("--shell, --env and --cwd are for a command, after --")
    called: Callable[..., object] | str = programs.run if callback is None else callback
    if callback is None:
        args = _program(command, shell, env, cwd)
        name = name or (program_in(command[0]) if shell else program_name(command[0]))
    elif name is None:
        raise click.UsageError("say by --name what people call the job")
    said = {"job_id": job_id, "if_exists": if_exists, "timezone": tz, "tags": list(tags) or None}
    job: dict[str, Any] = {option: value for option, value in said.items() if value is not None}
    job |= {"name": name, "schedule": schedule, "callback": called, "callback_args": args} | options

    async def create(manager: SchedulerManager) -> Job:
        return await the_job(manager, await manager.create_job(**job))

    _show(ask(database, create, makes=True), as_json)


def _program(command: tuple[str, ...], shell: bool, env: dict[str, str], cwd: str | None) -> dict[str, Any]:
    """The arguments of the callback that runs a program."""
    if shell and len(command) != 1:
        raise click.UsageError("with --shell the command is one text: quote it")
    said = {"environment": env or None, "directory": None if cwd is None else os.path.abspath(cwd)}
    told = {name: value for name, value in said.items() if value is not None}
    return {"command": command[0] if shell else list(command), **told}


@click.command()
@job_argument
@click.option("--name", help="Another name.")
@click.option("--schedule", help="Another schedule, which counts from now.")
@click.option("--callback", metavar="MODULE.FUNCTION", help="Another callback.")
@args_option
@cwd_option
@tz_option
@tag_option
@options_option
@database_option
@json_option
def edit(
    job: str,
    name: str | None,
    schedule: str | None,
    callback: str | None,
    args: dict[str, Any],
    cwd: str | None,
    tz: str | None,
    tags: tuple[str, ...],
    options: dict[str, Any],
    database: str,
    as_json: bool,
) -> None:
    """Change JOB, by its id or name; what is not said stays as it is, and so does its history.

    Arguments that are given take the place of those of their names. Tags that are given take the place of all.

    \b
    Examples:
      aurora edit report --schedule "every weekday at 7:30"
      aurora edit fetch --arg retries=3 --set timeout=null
    """
    import_from_here()
    said = {"name": name, "schedule": schedule, "callback": callback, "timezone": tz, "tags": list(tags) or None}
    changes = {what: value for what, value in said.items() if value is not None} | options
    directory = None if cwd is None else os.path.abspath(cwd)
    if not (changes or args or directory):
        raise Failure("nothing was said that is to change; `aurora edit --help` shows what can")

    async def change(manager: SchedulerManager) -> Job:
        found = await the_job(manager, job)
        if directory is not None:
            if found.callback != _RUN:
                calls = f"{shown(found.name, 300)} calls {found.callback}"
                raise Failure(f"--cwd is for jobs that are a command, and {calls}")
            args["directory"] = directory
        with_args = {"callback_args": {**found.callback_args, **args}} if args else {}
        return await manager.update_job(found.id, **changes, **with_args)

    _show(ask(database, change), as_json)


def _show(job: Job, as_json: bool) -> None:
    if as_json:
        show_json(job.as_dict())
    else:
        click.echo(state_of(job))
