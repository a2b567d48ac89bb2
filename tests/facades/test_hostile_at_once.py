"""Callbacks that do what they should not, all at once, in real threads and a real loop; the others' jobs go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aurora_scheduler import CronService, Execution
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import eventually

FATES: dict[Callable[..., Any], str] = {
    callbacks.fail: "failed",
    callbacks.exit_process: "failed",
    callbacks.exit_process_async: "failed",
    callbacks.interrupt: "failed",
    callbacks.interrupt_async: "failed",
    callbacks.raise_odd: "failed",
    callbacks.raise_odd_async: "failed",
    callbacks.raise_group: "failed",
    callbacks.raise_group_async: "failed",
    callbacks.return_much: "succeeded",
    callbacks.return_unserialisable: "succeeded",
    callbacks.return_cycle: "succeeded",
    callbacks.return_without_repr: "succeeded",
    callbacks.return_coroutine: "failed",
}
ON_STAGE: dict[Callable[..., Any], str] = {
    callbacks.sleep_on_asyncio: "failed",
    callbacks.wait_in_thread: "timed_out",
    callbacks.swallow_cancellation: "timed_out",
    callbacks.delete_itself: "succeeded",
    callbacks.wait_for_another: "failed",
}


def test_all_at_once_each_ends_alone_and_the_others_fire_on(cron: CronService, stage: Stage):
    stage.scheduler = cron
    options = {"relative_time": "in 1 hour", "max_retries": 0, "timeout": 0.2}
    steady = [
        cron.schedule_relative(name="steady", relative_time="every 1 second", callback=callback)
        for callback in (callbacks.nothing, callbacks.nothing_async)
    ]
    hostile = {}
    for callback, fate in (FATES | ON_STAGE).items():
        args = stage.args if callback in ON_STAGE else {}
        for _ in range(3):
            job_id = cron.schedule_relative(name=callback.__name__, callback=callback, callback_args=args, **options)
            hostile[job_id] = fate
    rows = {job_id: cron.run_job(job_id).id for job_id in hostile}
    before = [len(cron.get_executions(job_id, "succeeded")) for job_id in steady]

    def fired_on() -> bool:
        after = [len(cron.get_executions(job_id, "succeeded")) for job_id in steady]
        return all(now >= then + 3 for now, then in zip(after, before, strict=True))

    eventually(fired_on)  # while some of them still hold their threads, or will not be cancelled
    stage.may_end.set()
    for job_id, fate in hostile.items():
        (row,) = eventually(partial(_ended, cron, job_id))
        assert (row.id, row.status) == (rows[job_id], fate), row
    health = eventually(lambda: cron.health() if cron.health().status == "ok" else None)
    assert health.running <= len(steady)


def _ended(cron: CronService, job_id: str) -> list[Execution]:
    return [row for row in cron.get_executions(job_id) if row.finished_at is not None]
