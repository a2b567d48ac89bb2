"""What a command answers to another program: JSON."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["json_option", "show_json"]

json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of what a person reads.")


def show_json(value: Any) -> None:
    """Write a value to standard output."""
    # ASCII, as `json` has it by default: no character of a name can do anything to a terminal.
    click.echo(json.dumps(value, indent=2))
