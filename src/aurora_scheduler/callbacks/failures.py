"""An exception as a value: what it says, and where it came from. The exception itself is let go."""

from __future__ import annotations

import traceback
from types import TracebackType

from aurora_scheduler.callbacks.texts import cut, storable, text_of, type_name
from aurora_scheduler.model import ExecutionStatus, Outcome

__all__ = ["MOST_ERROR", "failed", "raised"]

#: How long, in bytes, the sentence that tells an error may be.
MOST_ERROR = 4 << 10
_MOST_TRACEBACK = 32 << 10

_OURS = __name__.partition(".")[0]

#: How asyncio's own functions fail where Trio runs, by type and what their message contains.
_ASYNCIO_UNDER_TRIO: tuple[tuple[type[Exception], str], ...] = (
    (RuntimeError, "no running event loop"),
    (RuntimeError, "no current event loop"),
    (TypeError, "some other framework like asyncio"),
    (AttributeError, "'NoneType' object has no attribute 'create_future'"),
)
_HINT = ' (asyncio code needs an asyncio loop: declare the callback `async def`, and give its job runner="app")'


def failed(error: str, traceback: str | None = None) -> Outcome:
    """The outcome of an attempt that has failed, and how that is said."""
    result = {"success": False, "error": error}
    return Outcome(status=ExecutionStatus.FAILED, result=result, error=error, traceback=traceback)


def raised(error: BaseException) -> Outcome:
    r"""What it means that a callback raised this, `SystemExit` and `KeyboardInterrupt` no less. Never raises.

    >>> outcome = raised(ValueError("no such host"))
    >>> str(outcome.status), outcome.error, outcome.traceback
    ('failed', 'ValueError: no such host', 'ValueError: no such host\n')
    """
    return failed(_sentence(error), _traceback(error))


def _sentence(error: BaseException) -> str:
    message = text_of(error)
    told = f"{type_name(error)}: {message}" if message else type_name(error)
    hint = _HINT if _is_asyncio_under_trio(error) else ""
    return cut(told, MOST_ERROR - len(hint)) + hint


def _is_asyncio_under_trio(error: BaseException) -> bool:
    try:
        if isinstance(error, BaseExceptionGroup):
            return any(_is_asyncio_under_trio(inner) for inner in error.exceptions)
        return any(isinstance(error, kind) and part in text_of(error) for kind, part in _ASYNCIO_UNDER_TRIO)
    except BaseException:  # a group too deep, a class that lies about itself
        return False


def _traceback(error: BaseException) -> str:
    try:
        where = _beyond_our_own(error.__traceback__)
        told = traceback.TracebackException(type(error), error, where, compact=True)
        return _shortened(storable("".join(told.format())))
    except BaseException as failure:
        return f"{type_name(error)}, of which no traceback can be had: {type_name(failure)}\n"


def _beyond_our_own(where: TracebackType | None) -> TracebackType | None:
    """The traceback from the callback on: how the scheduler called it tells a user nothing."""
    while where is not None and where.tb_next is not None:
        module = where.tb_frame.f_globals.get("__name__")
        if not isinstance(module, str) or module.partition(".")[0] != _OURS:
            break
        where = where.tb_next
    return where


def _shortened(text: str) -> str:
    """The text, or its first line and its end: the end tells where the error arose."""
    data = text.encode()
    if len(data) <= _MOST_TRACEBACK:
        return text
    first = cut(text.partition("\n")[0], 200)
    head = f"{first}\n  … {len(data):,} bytes, of which this is the end …\n"
    tail = data[-(_MOST_TRACEBACK - len(head.encode())) :].decode("utf-8", "ignore")
    _, newline, lines = tail.partition("\n")
    return head + (lines if newline and lines else tail)
