"""A name to a function and back; what to pass it; what it returned or raised.

`naming` and `resolving` are two directions of one road, `allowing` says which callbacks may run at all, `signature` and
`arguments` look at a call before it is made, `results` makes a value of whatever became of it. Nothing here knows of
jobs, clocks or threads.
"""

from aurora_scheduler.callbacks.allowing import ANY, Allowed
from aurora_scheduler.callbacks.arguments import checked_arguments
from aurora_scheduler.callbacks.failures import failed, raised
from aurora_scheduler.callbacks.naming import name_of, named
from aurora_scheduler.callbacks.resolving import resolve
from aurora_scheduler.callbacks.results import returned
from aurora_scheduler.callbacks.signature import (
    CONTEXT_NAMES,
    HOOK_NAMES,
    bind,
    check_arguments,
    check_told,
    is_async,
)

__all__ = [
    "ANY",
    "CONTEXT_NAMES",
    "HOOK_NAMES",
    "Allowed",
    "bind",
    "check_arguments",
    "check_told",
    "checked_arguments",
    "failed",
    "is_async",
    "name_of",
    "named",
    "raised",
    "resolve",
    "returned",
]
