"""Callbacks of the jobs that the tests list."""

from __future__ import annotations


def greet(name: str) -> str:
    return f"hello, {name}"


def shout() -> None:
    raise RuntimeError("two\nlines, and \x1b[31mred\x1b[0m")


def nothing() -> None:
    """Returns at once."""
