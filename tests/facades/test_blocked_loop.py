"""An async callback that blocks the scheduler's loop is named while it does, by somebody outside the loop."""

from __future__ import annotations

import logging
import threading
from functools import partial

import pytest
import trio

from aurora_scheduler import CronService
from aurora_scheduler.engine import watch
from facades import callbacks
from facades.callbacks import Stage, a_stage
from facades.waiting import DEADLINE, eventually

BLOCKING = {
    "waits": callbacks.block_the_loop,
    "waits in a task of its own": callbacks.block_in_a_child,
    "waits deep inside": callbacks.block_deep_inside,
    "thinks": callbacks.spin,
}


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was said of blocked loops."""
    return [record for record in list(caplog.records) if "blocked the scheduler's loop" in record.getMessage()]


@pytest.mark.parametrize("callback", BLOCKING.values(), ids=BLOCKING)
def test_it_is_named_while_it_blocks_with_its_stack_and_told_of_when_it_is_over(
    cron: CronService, stage: Stage, caplog: pytest.LogCaptureFixture, callback
):
    job_id = cron.schedule_relative(
        name="the culprit", relative_time="in 1 hour", callback=callback, callback_args=stage.args
    )
    execution = cron.run_job(job_id)
    (record,) = eventually(lambda: told(caplog))  # and it still blocks, since it was not let go
    message = record.getMessage()
    assert f"callback facades.callbacks:{callback.__qualname__} of job 'the culprit' has blocked" in message
    # The stack leads to the line at fault, and begins with the user's own code.
    stack = record.stack_info or ""
    assert "callbacks.py" in stack
    assert "aurora_scheduler/engine" not in stack
    assert ("played.may_end.wait(DEADLINE)" in stack) == (callback is not callbacks.spin)
    assert stack in logging.Formatter().format(record)
    assert record.levelname == "WARNING"
    assert _about(record) == (job_id, execution.id)

    stage.may_end.set()
    eventually(lambda: len(told(caplog)) == 2)
    over = told(caplog)[1]
    assert "had blocked the scheduler's loop for" in over.getMessage()
    assert _about(over) == (job_id, execution.id)
    eventually(lambda: cron.health().status == "ok")


def test_it_is_named_though_its_stack_cannot_be_told(cron: CronService, stage: Stage, caplog: pytest.LogCaptureFixture):
    job_id = cron.schedule_relative(
        name="x", relative_time="in 1 hour", callback=callbacks.block_without_source, callback_args=stage.args
    )
    cron.run_job(job_id)
    (record,) = eventually(lambda: told(caplog))
    assert "block_without_source of job 'x' has blocked" in record.getMessage()
    stage.may_end.set()
    assert record.stack_info == "  (its stack cannot be told: ZeroDivisionError)"


def test_it_is_told_once_however_long_it_blocks(
    cron: CronService, stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    looks = _looks(monkeypatch)
    job_id = cron.schedule_relative(
        name="endless", relative_time="in 1 hour", callback=callbacks.block_the_loop, callback_args=stage.args
    )
    cron.run_job(job_id)
    eventually(lambda: told(caplog))
    seen = len(looks)
    eventually(lambda: len(looks) >= seen + 50)
    assert len(told(caplog)) == 1


def test_each_of_several_is_named(cron: CronService, caplog: pytest.LogCaptureFixture):
    with a_stage() as first, a_stage() as second:
        for name, stage in (("first", first), ("second", second)):
            job_id = cron.schedule_relative(
                name=name, relative_time="in 1 hour", callback=callbacks.block_the_loop, callback_args=stage.args
            )
            cron.run_job(job_id)
        for number in (1, 2):
            eventually(partial(_are_named, caplog, number))
            (first if first.begun.is_set() and not first.ended.is_set() else second).may_end.set()
        eventually(lambda: len(told(caplog)) == 4)
    messages = [record.getMessage() for record in told(caplog)]
    for name in ("first", "second"):
        assert [" has " in message for message in messages if f"job '{name}'" in message] == [True, False]


def test_callbacks_that_await_are_not_told_of(
    cron: CronService, stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    looks = _looks(monkeypatch)
    for number in range(20):
        job_id = cron.schedule_relative(
            name=f"good {number}", relative_time="in 1 hour", callback=callbacks.wait_async, callback_args=stage.args
        )
        cron.run_job(job_id)
    eventually(lambda: len(looks) >= 100)
    assert told(caplog) == []


def test_the_watch_sleeps_while_no_callback_runs_in_the_loop(cron: CronService, stage: Stage):
    eventually(lambda: cron.health().status == "ok")
    looking_on = cron._scheduler._host._engine._watch
    eventually(lambda: looking_on._asleep)
    in_thread = cron.schedule_relative(
        name="in a thread", relative_time="in 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    cron.run_job(in_thread)
    assert stage.begun.wait(DEADLINE)
    assert looking_on._asleep
    with a_stage() as other:
        in_loop = cron.schedule_relative(
            name="in the loop", relative_time="in 1 hour", callback=callbacks.wait_async, callback_args=other.args
        )
        cron.run_job(in_loop)
        eventually(lambda: not looking_on._asleep)
    eventually(lambda: looking_on._asleep)
    assert looking_on.lag == 0


def test_nobody_looks_on_after_stop(stage: Stage):
    with CronService(":memory:") as cron:
        job_id = cron.schedule_relative(
            name="x", relative_time="in 1 hour", callback=callbacks.wait_async, callback_args=stage.args
        )
        cron.run_job(job_id)
        assert stage.begun.wait(DEADLINE)
        assert len(_watching()) == 1
        stage.may_end.set()
    assert _watching() == []


def _watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == watch._THREAD]


def _looks(monkeypatch: pytest.MonkeyPatch) -> list[trio.lowlevel.Task | None]:
    """What the watch sees have its turn from now on; it looks more often than usual."""
    looks: list[trio.lowlevel.Task | None] = []
    look = watch._running_task
    monkeypatch.setattr(watch, "_LOOK_EVERY", 0.01)

    def noting(nursery: trio.Nursery) -> trio.lowlevel.Task | None:
        looks.append(look(nursery))
        return looks[-1]

    monkeypatch.setattr(watch, "_running_task", noting)
    return looks


def _are_named(caplog: pytest.LogCaptureFixture, number: int) -> bool:
    return sum(" has " in record.getMessage() for record in told(caplog)) == number


def _about(record: logging.LogRecord) -> tuple[object, object]:
    return record.__dict__["job_id"], record.__dict__["execution_id"]
