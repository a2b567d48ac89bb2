"""Tables and texts."""

from __future__ import annotations

import builtins
import doctest
import io
import sys

import pytest

from aurora_scheduler.cli import tables, texts
from aurora_scheduler.cli.tables import show_table
from aurora_scheduler.errors import printable

ROWS = [["[bold]no markup[/bold]", "active"], ["a\tb", ""]]


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> str:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    show_table(("name", "status"), ROWS, title="jobs")
    return terminal.getvalue()


@pytest.mark.parametrize("module", [tables, texts], ids=lambda module: module.__name__)
def test_the_examples_of_a_module_hold(module):
    assert doctest.testmod(module).failed == 0


def test_a_pipe_gets_plain_columns(capsys):
    show_table(("name", "status"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME                    STATUS",
        "[bold]no markup[/bold]  active",
        r"a\tb                    -",
    ]


def test_a_terminal_gets_a_drawn_table_with_the_cells_as_they_are(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = on_a_terminal(monkeypatch)
    assert "[bold]no markup[/bold]" in shown
    assert "│" in shown


def test_a_terminal_without_rich_gets_plain_columns(monkeypatch):
    real = builtins.__import__

    def without_rich(name, *args, **kwargs):
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    assert on_a_terminal(monkeypatch).splitlines()[:2] == ["jobs", "NAME                    STATUS"]


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\x9b31m", "\u202e", "\u2028"])
def test_nothing_unprintable_is_let_through(text):
    assert printable(text).isascii()
