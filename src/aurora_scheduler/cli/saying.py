"""What is said on the command line as NAME=VALUE."""

from __future__ import annotations

import json
import math
from typing import Any

import click

__all__ = ["SECONDS", "read_pairs", "read_texts"]


class _Seconds(click.FloatRange):
    """A number of seconds: from 0, and a number."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


SECONDS = _Seconds(min=0, max=1e9)


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
