"""How a command fails: one line on standard error, and a number for the shell. Never a traceback."""

from __future__ import annotations

from typing import IO, Any

import click

from aurora_scheduler.cli.texts import printable
from aurora_scheduler.errors import AuroraError

__all__ = ["FailingGroup", "Failure"]


class Failure(click.ClickException):
    """The command cannot do, or did not find, what was asked of it; 1 for the shell. Wrong usage is click's, and 2."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """The line that a user reads."""
        click.echo(f"aurora: {printable(self.message)}", file=file, err=file is None)


class FailingGroup(click.Group):
    """A group of commands whose expected errors are told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except AuroraError as error:
            raise Failure(str(error)) from error
