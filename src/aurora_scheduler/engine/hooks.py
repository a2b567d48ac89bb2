"""What is told to the outside: hooks that are called, and URLs that are asked for. All of it beside the firing.

It is best effort: after the commit, at most once, and nobody waits for it but a stop. So there are threads for it
alone, and an end to everything: to how long it may take, and to how much there may be of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import trio

from aurora_scheduler.callbacks import Allowed, bind, failed, is_async, name_of, resolve, returned
from aurora_scheduler.engine.entries import Attempt, current_execution
from aurora_scheduler.engine.pings import what_is_wrong_with
from aurora_scheduler.engine.runners import outcome_of
from aurora_scheduler.engine.watch import LoopWatch
from aurora_scheduler.engine.workers import Workers
from aurora_scheduler.errors import printable
from aurora_scheduler.forks import NoFork
from aurora_scheduler.logs import about, logger
from aurora_scheduler.model import CallbackName, Execution, ExecutionStatus, Job, Outcome

__all__ = ["Hooks"]

_log = logger("engine")

#: For how many seconds a hook may run, or a ping be tried; the wait for a thread included.
_WITHIN = 60.0
#: So many may be under way at once.
_MOST = 1000
#: So many threads there are at most for hooks, and as many for pings.
_THREADS = 40
#: So many hooks may be imported at once.
_IMPORTS = 4
#: The pauses before the tries of a ping, in seconds.
_PAUSES = (0.0, 1.0, 5.0)

Hook = Callable[..., Any]


class Hooks:
    """The hooks and pings of all jobs; `general` has, by their options, the hooks of those without their own."""

    def __init__(
        self, allowed: Allowed, general: Mapping[str, Hook | None], watch: LoopWatch, *, inline: bool = False
    ) -> None:
        self._allowed = allowed
        self._general = general
        self._watch = watch
        self._inline = inline
        # Theirs alone: one that never ends keeps its thread, and holds up neither callbacks nor async hooks nor pings.
        self._threads, self._importing, self._pinging = (
            Workers(total, inline=inline, abandoned=True) for total in (_THREADS, _IMPORTS, _THREADS)
        )
        #: Where they run.
        self.performing: trio.Nursery | None = None
        #: How many are under way.
        self._number = 0
        #: Of those that have begun: what cancels it, what it is, and of which execution.
        self._running: dict[trio.CancelScope, tuple[str, Execution]] = {}
        self._is_closed = False
        self._idle = trio.Event()

    def succeeded(self, job: Job, ended: Execution) -> None:
        """An attempt of a job with a `ping` has succeeded. In a simulation nothing is sent."""
        if job.policies.ping is not None and not self._inline:
            self._begin("ping", ended, partial(self._ping, job.policies.ping))

    def failed(self, job: Job, ended: Execution, *, will_retry: bool) -> None:
        """An attempt has failed, or timed out."""
        hook = self._hook("on_failure", job)
        if hook is not None:
            told = {
                "job_id": ended.job_id,
                "job_name": ended.job_name,
                "execution_id": ended.id,
                "scheduled_for": ended.scheduled_for,
                "attempt": ended.attempt,
                "error": ended.error,
                "status": ended.status,
                "will_retry": will_retry,
            }
            self._begin("on_failure hook", ended, partial(self._call, hook, ended, told))

    def deactivated(self, job: Job, last: Execution, reason: str | None) -> None:
        """A job was deactivated, because of its `last` attempt."""
        hook = self._hook("on_deactivate", job)
        if hook is not None:
            told = {"job_id": job.id, "job_name": job.name, "reason": reason}
            self._begin("on_deactivate hook", last, partial(self._call, hook, last, told))

    async def until_idle(self) -> None:
        """Wait until none is under way."""
        while self.are_open:
            self._idle = trio.Event()
            await self._idle.wait()

    def close(self) -> None:
        """Cancel what is under way, and begin nothing more."""
        self._is_closed = True
        for scope in self._running:
            scope.cancel()

    @property
    def are_open(self) -> bool:
        """Whether any is under way."""
        return self._number > 0

    def tell_of_open(self) -> None:
        """Name in the log those that have not ended."""
        for what, execution in self._running.values():
            _log.error("the %s of job %r did not end", what, execution.job_name, extra=about(execution))

    def _hook(self, option: str, job: Job) -> Hook | str | None:
        return getattr(job.policies, option) or self._general.get(option)

    def _begin(self, what: str, execution: Execution, act: Callable[[], Awaitable[Outcome]]) -> None:
        if self._is_closed or self._number >= _MOST:
            reason = "the scheduler stops" if self._is_closed else f"{self._number:,} others are under way"
            _log.warning("the %s of job %r is left out: %s", what, execution.job_name, reason, extra=about(execution))
            return
        assert self.performing is not None
        self._number += 1
        self.performing.start_soon(self._run, what, execution, act)

    async def _run(self, what: str, execution: Execution, act: Callable[[], Awaitable[Outcome]]) -> None:
        current_execution.set(execution.id)  # what a callback may not wait for, a hook may not either
        outcome = failed("it was cancelled: the scheduler stops")
        scope = trio.CancelScope()
        try:
            with scope, trio.move_on_after(_WITHIN) as limit:
                self._running[scope] = what, execution
                if self._is_closed:
                    scope.cancel()
                outcome = await act()
            if limit.cancelled_caught:
                outcome = failed(f"it has not ended within {_WITHIN:.0f} s, and is left alone")
        except BaseException as error:  # a hook is a stranger's code, as a callback is
            outcome = outcome_of(error)
        finally:
            self._running.pop(scope, None)
            self._number -= 1
            self._idle.set()
        if outcome.status is ExecutionStatus.FAILED:
            stack = "\n".join(map(printable, (outcome.traceback or "").splitlines()))
            extra = about(execution) | ({"stack": stack} if stack else {})
            _log.warning("the %s of job %r failed: %s", what, execution.job_name, outcome.error, extra=extra)

    async def _call(self, hook: Hook | str, execution: Execution, told: Mapping[str, Any]) -> Outcome:
        function = await self._importing.call(partial(_found, hook, self._allowed)) if isinstance(hook, str) else hook
        arguments = bind(function, {}, told)
        if not is_async(function):
            return returned(await self._threads.call(partial(function, **arguments)))
        attempt = Attempt(execution, callback=_name(function))
        self._watch.begin(attempt)
        try:
            return returned(await function(**arguments))
        finally:
            self._watch.end(attempt)

    async def _ping(self, url: str) -> Outcome:
        trouble: str | None = None
        for pause in _PAUSES:
            await trio.sleep(pause)
            trouble = await self._pinging.call(partial(what_is_wrong_with, url))
            if trouble is None:
                return returned(None)
        return failed(f"{trouble}; it was tried {len(_PAUSES)} times")


def _name(function: Hook) -> CallbackName:
    named = function if hasattr(function, "__qualname__") else type(function)
    return CallbackName(named.__module__, named.__qualname__)


def _found(name: str, allowed: Allowed) -> Hook:
    with NoFork():
        return resolve(name_of(name), allowed)
