"""Which callbacks may run: patterns of dotted names. What is not allowed is never imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aurora_scheduler.callbacks.texts import type_name
from aurora_scheduler.errors import CallbackError, OptionError
from aurora_scheduler.model import CallbackName

__all__ = ["ANY", "Allowed"]

_PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*)?")
_ACCEPTED = 'must be a list of names like "myapp.jobs.send", or "myapp.*" for all that is in myapp'


@dataclass(frozen=True, slots=True)
class Allowed:
    """The callbacks that may run; `patterns` None: all.

    A pattern is a dotted name, or a dotted name and `.*`, which stands for everything below it and ends at a dot:
    `myapp.*` does not allow `myapp2.send`.

    >>> allowed = Allowed.read(["myapp.*"])
    >>> allowed.has("myapp.jobs.send"), allowed.has("myapp2.send"), allowed.has("os.system")
    (True, False, False)
    """

    patterns: tuple[str, ...] | None = None

    @classmethod
    def read(cls, value: object) -> Allowed:
        """What `allow_callbacks` says. Raises `OptionError`."""
        if value is None:
            return ANY
        if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
            raise OptionError("allow_callbacks", value, _ACCEPTED)
        for pattern in value:
            if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
                raise OptionError("allow_callbacks", value, f"{_ACCEPTED}; {pattern!r} is no such name")
        return cls(tuple(sorted(value)))

    def has(self, dotted: str) -> bool:
        """Whether this dotted name is allowed."""
        if self.patterns is None:
            return True
        return any(
            dotted.startswith(pattern[:-1]) if pattern.endswith(".*") else dotted == pattern
            for pattern in self.patterns
        )

    def check_name(self, name: CallbackName) -> None:
        """Raise `CallbackError` for a name that is not allowed: before anything is imported."""
        if not self.has(f"{name.module}.{name.qualname}"):
            raise CallbackError(str(name), f"it is not allowed here; {self._told()}")

    def check_function(self, name: CallbackName, function: Callable[..., Any]) -> None:
        """Raise `CallbackError` for a function that is defined where nothing is allowed.

        Under whatever name it was found: `myapp.os.system` is `os.system` all the same.
        """
        if self.patterns is None:
            return
        named = function if isinstance(getattr(function, "__qualname__", None), str) else type(function)
        own = f"{getattr(named, '__module__', None)}.{named.__qualname__}"
        if not self.has(own):
            reason = f"what is there is {own} ({type_name(function)}), which is not allowed here; {self._told()}"
            raise CallbackError(str(name), reason)

    def _told(self) -> str:
        return f"allow_callbacks has {', '.join(self.patterns) if self.patterns else 'nothing in it'}"


#: Everything is allowed.
ANY = Allowed()
