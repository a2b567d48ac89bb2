"""The loggers, whose messages are one line each, whatever the texts say that are told of.

A callback's error, a path, an id: somebody else may have chosen them, and a line break or an escape sequence in one
would forge lines of a log, or play with a terminal that shows it.
"""

from __future__ import annotations

import logging

from aurora_scheduler.errors import printable
from aurora_scheduler.model import Execution

__all__ = ["DEBUG", "about", "logger"]

DEBUG = logging.DEBUG


def about(execution: Execution) -> dict[str, str]:
    """The fields of a record that tells of an execution, and so of its job: its `extra`."""
    return {"job_id": execution.job_id, "execution_id": execution.id}


def logger(name: str) -> logging.Logger:
    """The logger `aurora_scheduler.<name>`."""
    log = logging.getLogger(f"aurora_scheduler.{name}")
    log.addFilter(_in_one_line)
    return log


def _in_one_line(record: logging.LogRecord) -> bool:
    # A stack that comes as an extra is shown below the message, as logging shows one of its own.
    record.stack_info = record.__dict__.get("stack", record.stack_info)
    message = record.getMessage()
    if not message.isprintable():
        record.msg, record.args = printable(message), ()
    return True
