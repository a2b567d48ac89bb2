"""Whatever a callback returned or raised, as a value that can be stored.

A callback is a stranger's code, and so are the objects that it hands back: every method of theirs may raise, never
end a sentence, or have no text at all. Here that ends: what leaves this module is an `Outcome`, always.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from aurora_scheduler.callbacks.failures import MOST_ERROR
from aurora_scheduler.callbacks.json_text import json_pieces
from aurora_scheduler.callbacks.texts import cut, head, repr_pieces, storable, text_of, type_name
from aurora_scheduler.model import ExecutionStatus, Outcome

__all__ = ["returned"]

#: How long a result may be, as JSON text in UTF-8.
_MOST = 1 << 16


def returned(value: object) -> Outcome:
    """What it means that a callback returned this. Never raises.

    A mapping says by `success` (true where it is missing) how it went, and is kept as it is. Anything else is a
    success and kept as its text: `{"success": True, "message": …}`. A coroutine or generator is a failure: nothing
    of the callback has run. What is no JSON, or longer than 64 KiB of it, is kept as far as it can be, and flagged.

    >>> returned({"success": False, "error": "no such host"}).error
    'no such host'
    >>> returned(42).result
    {'success': True, 'message': '42'}
    """
    try:
        return _returned(value)
    except BaseException as error:
        return _failed(f"the callback returned a {type_name(value)} that cannot be read: {type_name(error)}")


def _returned(value: object) -> Outcome:
    if value is None:
        return Outcome(status=ExecutionStatus.SUCCEEDED, result={"success": True})
    if reason := _not_run(value):
        return _failed(reason)
    if isinstance(value, Mapping):
        return _told(dict(value))
    text, complete = _text(value)
    result = _fitted({"success": True}, "message", text, [] if complete else ["cut"])
    return Outcome(status=ExecutionStatus.SUCCEEDED, result=result)


def _not_run(value: object) -> str | None:
    """Why a returned object means that the callback did not do its work, or None."""
    if inspect.iscoroutine(value):
        if inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
            value.close()  # else Python would warn that it was never awaited
        return "the callback returned a coroutine, which nobody awaits; declare it `async def`, and await inside"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "the callback is a generator, of which nothing has run; declare it without `yield`"
    if inspect.isawaitable(value):
        return f"the callback returned a {type_name(value)}, which nobody awaits; declare it `async def`, and await it"
    return None


def _told(mapping: dict[Any, Any]) -> Outcome:
    success = bool(mapping.get("success", True))
    result = _stored({"success": success} | mapping | {"success": success})
    if success:
        return Outcome(status=ExecutionStatus.SUCCEEDED, result=result)
    return Outcome(status=ExecutionStatus.FAILED, result=result, error=_reason(mapping))


def _reason(mapping: dict[Any, Any]) -> str:
    given = (mapping[key] for key in ("error", "message") if mapping.get(key) is not None)
    texts = (cut(text_of(each), MOST_ERROR) for each in given)
    return next(filter(None, texts), "the callback returned success=False and gave no reason")


def _stored(mapping: dict[Any, Any]) -> dict[str, Any]:
    """The mapping as JSON; or what can be kept of it."""
    said = {key: item for key in ("message", "error") if isinstance(item := mapping.get(key), str)}
    kept = {"success": mapping["success"]} | {key: cut(item, MOST_ERROR) for key, item in said.items()}
    try:
        text, complete = head(json_pieces(mapping, "result"), _MOST)
    except BaseException:
        text, complete = _text(mapping)
        return _fitted(kept, "repr", text, ["not_json"] if complete else ["not_json", "cut"])
    if not complete or len(text.encode()) > _MOST:
        return _fitted(kept, "text", text, ["cut"])
    result: dict[str, Any] = json.loads(text)
    return result


def _text(value: object) -> tuple[str, bool]:
    """The text of a value, or the first part of it, and whether that is all."""
    if type(value) is str:
        return storable(value[: _MOST + 1]), len(value) <= _MOST
    if type(value) in (list, tuple, dict, bytes, bytearray):
        return head(repr_pieces(value, _MOST), _MOST)
    return text_of(value), True


def _fitted(kept: dict[str, Any], key: str, text: str, flags: list[str]) -> dict[str, Any]:
    """`kept`, with as much of the text as fits, and the flags; with one more where not all of it fits."""
    whole = {**kept, key: text[: _MOST + 1]} | ({"flags": flags} if flags else {})
    if _size(whole) <= _MOST:
        return whole
    flags = list(dict.fromkeys([*flags, "cut"]))
    room = _MOST - _size({**kept, key: "", "flags": flags})
    fitting = text[:room]
    while (over := _size(fitting) - 2 - room) > 0:
        # A character is at most six bytes long as JSON text: what is taken away is never too much.
        fitting = fitting[: -(over // 6 + 1)]
    return {**kept, key: fitting, "flags": flags}


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _failed(error: str) -> Outcome:
    return Outcome(status=ExecutionStatus.FAILED, result={"success": False, "error": error}, error=error)
