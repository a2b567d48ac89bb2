"""What is said on the command line as NAME=VALUE."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["read_pairs", "read_texts"]


def read_pairs(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Each NAME=VALUE; a value that is JSON, like 3, true or ["a"], is that, and any other is its text."""
    return {name: _value(value) for name, value in read_texts(ctx, parameter, given).items()}


def read_texts(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Each NAME=VALUE, the value as it is."""
    pairs: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not (separator and name):
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
