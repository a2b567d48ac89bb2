"""What a function takes, and what it is called with."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from aurora_scheduler.errors import ArgumentsError

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Annotations are not looked at, and may name what is imported for type checkers alone.
    _HOW: dict[str, Any] = {"annotation_format": Format.FORWARDREF}
else:
    _HOW: dict[str, Any] = {}

__all__ = ["CONTEXT_NAMES", "HOOK_NAMES", "bind", "check_arguments", "check_told", "is_async"]

#: What a callback is told of its own execution, if it has parameters of these names.
CONTEXT_NAMES = ("job_id", "job_name", "execution_id", "scheduled_for", "attempt", "idempotency_key")

#: What a hook is told, if it has parameters of these names.
HOOK_NAMES: Mapping[str, tuple[str, ...]] = {
    "on_failure": (
        "job_id", "job_name", "execution_id", "scheduled_for", "attempt", "error", "status", "will_retry",
    ),
    "on_deactivate": ("job_id", "job_name", "reason"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Parameters:
    """The parameters of a function, by name; no more of its signature, which would keep the function alive."""

    named: tuple[str, ...]
    required: tuple[str, ...]
    """Those of `named` that have no default."""
    unnamed: tuple[str, ...]
    """Those that are required, and cannot be given by name."""
    any_name: bool
    """Whether there is a `**kwargs`."""


_known: WeakKeyDictionary[Callable[..., Any], _Parameters | None] = WeakKeyDictionary()


def check_arguments(function: Callable[..., Any], args: Mapping[str, Any], callback: object = None) -> None:
    """See that the function can be called with these arguments, and what `bind` adds to them.

    `callback` is the function as an error tells it: its name.

    Raises:
        ArgumentsError: it does not take one of them, or requires another one.

    >>> def send(to, copies=1, *, attempt): ...
    >>> check_arguments(send, {"to": "a@example.org"})
    >>> check_arguments(send, {"too": "a@example.org"}, "shop:send")
    Traceback (most recent call last):
        ...
    aurora_scheduler.errors.ArgumentsError: cannot use the callback 'shop:send': it takes no argument "too" by name; \
it takes to, copies, attempt
    """
    told = function if callback is None else callback
    taken = _parameters(function)
    if taken is None:
        return
    if taken.unnamed:
        reason = f"it requires {_listed(taken.unnamed)} by position, and callback_args are passed by name"
        raise ArgumentsError(told, f"{reason}; take the `/` out of its signature, or wrap it in a function")
    if not taken.any_name and (unknown := [name for name in args if name not in taken.named]):
        raise ArgumentsError(told, f"it takes no argument {_listed(unknown)} by name; it takes {_takes(taken)}")
    if missing := [name for name in taken.required if name not in args and name not in CONTEXT_NAMES]:
        raise ArgumentsError(
            told, f"callback_args lack {_listed(missing)}, which it requires; it takes {_takes(taken)}"
        )


def _takes(taken: _Parameters) -> str:
    return ", ".join([*taken.named, *(["any other name"] if taken.any_name else [])]) or "none"


def check_told(function: Callable[..., Any], names: tuple[str, ...]) -> None:
    """See that the function can be called with nothing but what it is told by these names.

    Raises:
        ArgumentsError: it requires something else.

    >>> def tell(job_name, error, *, copies=1): ...
    >>> check_told(tell, HOOK_NAMES["on_failure"])
    >>> check_told(tell, HOOK_NAMES["on_deactivate"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    aurora_scheduler.errors.ArgumentsError: cannot use the callback <function tell at ...>: it requires "error", and \
is told nothing but job_id, job_name, reason, each by its name
    """
    taken = _parameters(function)
    lacking = () if taken is None else (*taken.unnamed, *(name for name in taken.required if name not in names))
    if lacking:
        told = ", ".join(names)
        raise ArgumentsError(
            function, f"it requires {_listed(lacking)}, and is told nothing but {told}, each by its name"
        )


def bind(function: Callable[..., Any], args: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments to call the function with: `args`, and of `context` what it has parameters for.

    A value in `args` goes before one of the same name in `context`; `**kwargs` alone receives no context. Lists and
    dicts are copied: what the callback does to them is gone when it returns.

    >>> def send(to, attempt): ...
    >>> bind(send, {"to": ["a@example.org"]}, {"attempt": 1, "job_id": "j"})
    {'attempt': 1, 'to': ['a@example.org']}
    """
    taken = _parameters(function)
    told = {} if taken is None else {name: context[name] for name in taken.named if name in context}
    return told | {name: _copied(value) for name, value in args.items()}


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of it is awaited: it, or the `__call__` of its class, is a coroutine function.

    A plain wrapper around a coroutine function is a plain function; `inspect.markcoroutinefunction` (Python 3.12) is
    the way to say otherwise.

    >>> async def fetch(): ...
    >>> is_async(fetch), is_async(print)
    (True, False)
    """
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _parameters(function: Callable[..., Any]) -> _Parameters | None:
    """What the function takes, remembered as long as it lives; None for a builtin that does not tell."""
    try:
        return _known[function]
    except KeyError:
        found = _known[function] = _read(function)
        return found
    except TypeError:  # an object that cannot be hashed, or not be referred to weakly
        return _read(function)


def _read(function: Callable[..., Any]) -> _Parameters | None:
    try:
        parameters = inspect.signature(function, **_HOW).parameters.values()
    except Exception:  # builtins have none; a __signature__ of the object's own may be anything
        return None
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    return _Parameters(
        named=tuple(each.name for each in named),
        required=tuple(each.name for each in named if each.default is each.empty),
        unnamed=tuple(
            each.name for each in parameters if each.kind is each.POSITIONAL_ONLY and each.default is each.empty
        ),
        any_name=any(each.kind is each.VAR_KEYWORD for each in parameters),
    )


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _copied(value: Any) -> Any:
    """A copy of a value that came out of JSON."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
