"""How a command fails: what is wrong on standard error, and a number for the shell. Never a traceback."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, Any, TextIO

import click

from aurora_scheduler.errors import AuroraError, printable

__all__ = ["FailingGroup", "Failure", "silence"]


class Failure(click.ClickException):
    """The command cannot do, or did not find, what was asked of it; 1 for the shell. Wrong usage is click's, and 2."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """The lines that a user reads."""
        lines = "\n".join(printable(line) for line in self.message.split("\n"))
        click.echo(f"aurora: {lines}", file=file, err=file is None)


def silence(stream: TextIO | None) -> None:
    """Have what is written there from now on go nowhere: who read it is gone, or its disk is full."""
    if stream is not None:
        with suppress(OSError, ValueError):  # else the interpreter complains at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class FailingGroup(click.Group):
    """A group of commands whose expected errors are told without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except AuroraError as error:
            raise Failure(str(error)) from error
        except BrokenPipeError:  # who reads has gone: click ends in silence
            raise
        except OSError as error:
            raise Failure(str(error)) from error
