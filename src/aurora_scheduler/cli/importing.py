"""What is named on the command line and imported: from the current directory, too, as `python -m` does it."""

from __future__ import annotations

import importlib
import os
import sys

from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.errors import shown
from aurora_scheduler.manager import SchedulerManager

__all__ = ["import_from_here", "manager_named"]


def import_from_here() -> None:
    """Let modules of the current directory be imported, where a program that is started here finds its callbacks."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def manager_named(text: str) -> SchedulerManager:
    """The manager that "module:name" means. Raises `Failure` where there is none."""
    module_name, separator, name = text.partition(":")
    if not (separator and module_name and name):
        raise Failure(f"{shown(text, 300)} names no manager; accepted: MODULE:NAME, like shop.jobs:manager")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # it is a user's code that runs here
        raise Failure(f"module {module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, SchedulerManager):
        kind = "is not there" if found is None else f"is a {type(found).__name__}"
        raise Failure(f"{name} in module {module_name} {kind}; it must be a SchedulerManager")
    return found
