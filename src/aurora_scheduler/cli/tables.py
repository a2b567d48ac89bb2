"""Tables: drawn by rich where a terminal shows them and rich is installed, else in plain aligned columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from aurora_scheduler.cli.texts import NOTHING
from aurora_scheduler.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["plain_lines", "rich_table", "show_table"]


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Write a table to standard output."""
    cleaned = [[printable(cell) or NOTHING for cell in row] for row in rows]
    if sys.stdout.isatty():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            Console().print(rich_table(columns, cleaned, title))
            return
    if title:
        click.echo(title)
    for line in plain_lines(columns, cleaned):
        click.echo(line)


def plain_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table without any drawing; the last column is as long as it is.

    >>> plain_lines(["job", "status"], [["nightly", "active"]])
    ['JOB      STATUS', 'nightly  active']
    """
    table = [[column.upper() for column in columns], *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def rich_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, *, is_wrapped: bool = True
) -> Table:
    """The table as rich draws it; what is too long is wrapped, or else cut.

    A cell is what it says: no markup is looked for in it.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold" if is_wrapped else "ellipsis", no_wrap=not is_wrapped)
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    return table


#: The words that say how it went, wherever they begin a cell.
_STYLES = {
    "active": "green",
    "succeeded": "green",
    "running": "cyan",
    "waiting": "cyan",
    "cancelling": "yellow",
    "paused": "yellow",
    "skipped": "yellow",
    "missed": "yellow",
    "unresolved": "red",
    "deactivated": "red",
    "failed": "red",
    "timed_out": "red",
    "lost": "magenta",
    "finished": "dim",
    "cancelled": "dim",
}
