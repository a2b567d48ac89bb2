"""Callbacks by name, imported once. Importing runs a user's code, so it is done in a worker thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from aurora_scheduler.callbacks import Allowed, is_async, resolve
from aurora_scheduler.engine.workers import Workers
from aurora_scheduler.errors import CallbackError, shown
from aurora_scheduler.forks import NoFork
from aurora_scheduler.model import CallbackName, Job

__all__ = ["Callbacks"]


@dataclass(frozen=True, slots=True)
class Found:
    """A callback that was found."""

    function: Callable[..., Any]
    is_async: bool


class Callbacks:
    """The functions behind the names, remembered, failures included until `forget_failures`."""

    def __init__(self, allowed: Allowed, node_tags: frozenset[str], *, inline: bool) -> None:
        self._allowed = allowed
        self._node_tags = node_tags
        self._found: dict[CallbackName, Found | CallbackError] = {}
        self._looking: dict[CallbackName, trio.Event] = {}
        self._workers = Workers(1, inline=inline)

    def can_call(self, job: Job) -> bool:
        """Whether the job is one for this process, and its callback was found already."""
        return job.policies.is_for(self._node_tags) and self.known(job.callback) is not None

    async def prepare(self, job: Job) -> None:
        """Find the job's callback. Raises `CallbackError` where it cannot be found, or the job is for others."""
        if not job.policies.is_for(self._node_tags):
            tags = ", ".join(map(shown, sorted(self._node_tags))) or "none"
            told = (
                f"its job is for processes with the node_tag {shown(job.node_tag)}; the node_tags of this one: {tags}"
            )
            raise CallbackError(str(job.callback), told)
        await self.find(job.callback)

    def known(self, name: CallbackName) -> Found | None:
        """The callback where it was found already; else None."""
        found = self._found.get(name)
        return found if isinstance(found, Found) else None

    async def find(self, name: CallbackName) -> Found:
        """The callback. Raises `CallbackError` where it cannot be found."""
        while name not in self._found:
            await self._look_up(name)
        found = self._found[name]
        if isinstance(found, CallbackError):
            raise found.with_traceback(None)  # else each raise would make the traceback longer
        return found

    async def _look_up(self, name: CallbackName) -> None:
        if name in self._looking:  # and all who wait for it go on in the same instant
            await self._looking[name].wait()
            return
        done = self._looking[name] = trio.Event()
        try:
            self._found[name] = await self._workers.call(partial(_resolve, name, self._allowed))
        finally:
            del self._looking[name]
            done.set()
        await trio.lowlevel.checkpoint()  # in that same instant, too

    def forget_failures(self) -> None:
        """Try again, next time, what could not be found."""
        self._found = {name: found for name, found in self._found.items() if isinstance(found, Found)}


def _resolve(name: CallbackName, allowed: Allowed) -> Found | CallbackError:
    try:
        with NoFork():
            function = resolve(name, allowed)
    except CallbackError as error:
        return error
    return Found(function, is_async(function))
