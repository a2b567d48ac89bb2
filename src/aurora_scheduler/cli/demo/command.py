"""The command `aurora demo`: its options, its files, its two ends (the last line, or Ctrl-C)."""

from __future__ import annotations

import signal
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import anyio
import click
from anyio.abc import TaskStatus

from aurora_scheduler.cli.demo.backups import tables_in
from aurora_scheduler.cli.demo.board import a_board
from aurora_scheduler.cli.demo.director import Ending, direct
from aurora_scheduler.cli.demo.ledger import Account, balance, verdict
from aurora_scheduler.cli.demo.stage import Stage
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.cli.texts import counted, size
from aurora_scheduler.cli.views import EXECUTION_COLUMNS, execution_row
from aurora_scheduler.errors import AuroraError, printable, shown
from aurora_scheduler.stores import file_of

__all__ = ["demo"]

_INTERRUPTED = 130
_SHOWN = 40


@click.command()
@click.option(
    "--path",
    "directory",
    type=click.Path(exists=True, file_okay=False, readable=True, path_type=Path),
    default=Path(),
    help="The directory to index, within bounds; it is only read.  [default: the current one]",
)
@click.option("--seconds", type=click.FloatRange(min=8, max=600), default=20, show_default=True, help="About how long.")
@click.option(
    "--db", "database", metavar="PATH", help="A new file, which is kept.  [default: one in a temporary directory]"
)
def demo(directory: Path, seconds: float, database: str | None) -> None:
    """See the scheduler work on real files, killed half-way and started again.

    One process runs the scheduler: it indexes a directory, backs up its own database, waits for answers, retries what
    fails. This one shows it, kills it with SIGKILL, starts it again, and balances the accounts in the end. It ends
    with 0 only if every firing that was due has exactly one record.

    \b
    Examples:
      aurora demo
      aurora demo --path ~/src --seconds 60
      aurora demo --db demo.db; aurora history --db demo.db
    """
    with tempfile.TemporaryDirectory(prefix="aurora-demo-", ignore_cleanup_errors=True) as temporary:
        stage = Stage(directory.resolve(), _new_file(database, Path(temporary) / "demo.db"))
        kept = "kept" if database is not None else "temporary"
        click.echo(f"database: {printable(str(stage.database))} ({kept})")
        click.echo(f"indexing: {printable(str(stage.directory))}")
        ending = anyio.run(_play, stage, seconds, Path(temporary) / "scheduler.log", backend="trio")
        if ending is None:
            raise click.exceptions.Exit(_INTERRUPTED)
        _settle(stage, ending)


def _new_file(database: str | None, temporary: Path) -> Path:
    """The demo's file. One that is there already is somebody's: its jobs would be fired, and its scheduler killed."""
    file = temporary if database is None else file_of(database)
    if file is None:
        raise click.BadParameter("two processes share it: it must be a file", param_hint="--db")
    if file.is_symlink() or file.exists():
        raise click.BadParameter(f"{shown(str(file), 300)} is there already; give a new file", param_hint="--db")
    return file.absolute()


async def _play(stage: Stage, seconds: float, log: Path) -> Ending | None:
    """The demo's course; None where it was interrupted. In each case no process is left."""
    ending: Ending | None = None
    failure: AuroraError | Failure | None = None
    async with anyio.create_task_group() as play:
        await play.start(_stop_by_signal, play.cancel_scope)
        try:
            with a_board() as board:
                ending = await direct(stage, seconds, log, board)
        except (AuroraError, Failure) as error:  # told as it is, not as one of a group
            failure = error
        play.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return ending


async def _stop_by_signal(
    scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Ctrl-C, or the end asked for by whoever started this: the scheduler's process goes first."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            click.echo(f"aurora: {number.name}: stopping both processes", err=True)
            scope.cancel()


def _settle(stage: Stage, ending: Ending) -> None:
    """The history, the accounts, the backup, and the verdict."""
    executions = ending.snapshot.executions
    left_out = f", the last {_SHOWN}" if len(executions) > _SHOWN else ""
    click.echo()
    show_table(EXECUTION_COLUMNS, [execution_row(each) for each in executions[-_SHOWN:]], f"history{left_out}")
    statuses = Counter((each.job_name, each.status) for each in executions)
    click.echo()
    rows = [[name, str(status), str(number)] for (name, status), number in sorted(statuses.items())]
    show_table(("job", "status", "executions"), rows, "executions")
    accounts = balance(ending.snapshot, ending.until)
    click.echo()
    columns = ("job", "schedule", "instants due", "recorded", "ran", "skipped", "missed")
    show_table(columns, [_account_row(each) for each in accounts], "accounts: each instant in exactly one record")
    click.echo()
    backup_is_whole = _tell_of_backup(stage.backup)
    click.echo(verdict(accounts))
    if not backup_is_whole or any(each.wrong for each in accounts):
        raise click.exceptions.Exit(1)


def _account_row(account: Account) -> list[str]:
    numbers = (account.due, account.recorded, account.ran, account.skipped, account.missed)
    return [account.job.name, account.job.schedule_value, *map(str, numbers)]


def _tell_of_backup(backup: Path) -> bool:
    try:
        tables = tables_in(backup)
    except sqlite3.Error as error:
        click.echo(f"backup beside the database: not whole: {error}")
        return False
    said = f"{size(backup.stat().st_size)}, {counted(tables, 'table')}, integrity ok"
    click.echo(f"backup beside the database: {printable(backup.name)}, {said}")
    return True
