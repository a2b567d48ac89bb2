"""Frozen values with a few fields changed: what `dataclasses.replace` does, in a tenth of its time.

Every decision makes several new jobs and executions of old ones, each of two dozen fields. The standard library looks
up each field by its name and calls `__init__`; here a copier is written once for each class and each set of fields that
change, as dataclasses write their methods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:  # whose arguments type checkers know
    from dataclasses import replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy of a frozen dataclass with slots and without `__post_init__`, with these fields changed."""
        key = (type(value), *changes)
        copied = _KNOWN.get(key)
        if copied is None:
            copied = _KNOWN[key] = _copier(*key)
        return copied(value, *changes.values())


#: By class, and by the names of the fields that change, in the order in which they are said.
_KNOWN: dict[tuple[Any, ...], Callable[..., Any]] = {}


def _copier(kind: type, *changes: str) -> Callable[..., Any]:
    """What copies a value of this class, past its being frozen, but for these fields, whose values it is given."""
    names = [field.name for field in fields(kind)]
    for name in changes:
        if name not in names:
            raise TypeError(f"{kind.__name__} has no field {name!r}")
    given = {name: f"new_{name}" for name in changes}
    lines = [f"    set_{name}(copy, {given.get(name, f'value.{name}')})" for name in names]
    arguments = ", ".join(["value", *given.values()])
    source = "\n".join([f"def copied({arguments}):", "    copy = make(kind)", *lines, "    return copy"])
    scope: dict[str, Any] = {"make": object.__new__, "kind": kind}
    scope |= {f"set_{name}": getattr(kind, name).__set__ for name in names}
    exec(source, scope)
    copied: Callable[..., Any] = scope["copied"]
    return copied
