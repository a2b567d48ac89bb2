"""Whatever a callback does ends its execution and nothing else."""

from __future__ import annotations

import contextvars
import json
import sys

import pytest
import trio

from aurora_scheduler.engine import current_execution
from aurora_scheduler.model import ExecutionStatus
from support.lives import MINUTE, START

pytestmark = pytest.mark.trio


def exits(call):
    sys.exit("I go")


def raises_system_exit(call):
    raise SystemExit(3)


def interrupts(call):
    raise KeyboardInterrupt


def raises_a_group(call):
    raise ExceptionGroup("many", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])


def raises_a_base_group(call):
    raise BaseExceptionGroup("many", [ValueError("one"), KeyboardInterrupt()])


def raises_generator_exit(call):
    raise GeneratorExit


def raises_stop_iteration(call):
    raise StopIteration("over")


def raises_something_of_its_own(call):
    class Hostile(BaseException):
        def __str__(self):
            raise RuntimeError("not even that")

    raise Hostile


def recurses(call):
    return recurses(call)


FAILING = [
    exits,
    raises_system_exit,
    interrupts,
    raises_a_group,
    raises_a_base_group,
    raises_generator_exit,
    raises_stop_iteration,
    raises_something_of_its_own,
    recurses,
]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
@pytest.mark.parametrize("part", FAILING)
async def test_whatever_is_raised_fails_the_execution_and_nothing_else(world, part, sync):
    job = world.create("hostile", "every 1 hour", part, sync=sync, retry_delay=60, max_retries=1)
    other = world.create("other", "every 10 minutes", lambda call: None)
    await world.start()
    await world.run(2 * 3600)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED] * 2
    assert all(row.error and row.traceback for row in world.rows(job))
    assert world.job(job).status == "deactivated"
    assert [call.begun for call in world.calls_of(other)] == [START + n * 10 * MINUTE for n in range(1, 13)]


async def test_an_exception_group_is_told_as_a_tree(world):
    job = world.create("hostile", "every 1 hour", raises_a_group)
    await world.start()
    await world.run(3601)
    (row,) = world.rows(job, ExecutionStatus.FAILED)
    assert all(part in row.traceback for part in ("many", "ValueError: one", "inner", "KeyError: 'two'"))


async def test_an_async_callback_that_keeps_a_cancellation_and_raises_it_later_fails_alone(world):
    """What `outcome.acapture` and home-made gather functions do."""

    async def hoard(call):
        kept = BaseException()
        with trio.move_on_after(1):
            try:
                await trio.sleep(10)
            except trio.Cancelled as cancelled:
                kept = cancelled
        await trio.sleep(1)
        raise kept

    job = world.create("hoarding", "every 1 hour", hoard, max_retries=0)
    other = world.create("other", "every 10 minutes", lambda call: None)
    await world.start()
    await world.run(2 * 3600)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED]
    assert len(world.calls_of(other)) == 12


async def test_a_thread_that_raises_a_cancellation_of_its_own_fails_alone(world):
    async def capture():
        with trio.move_on_after(1):
            try:
                await trio.sleep(10)
            except trio.Cancelled as cancelled:
                return cancelled

    def hoard(call):
        raise call.run(capture)

    job = world.create("hoarding", "every 1 hour", hoard, sync=True, max_retries=0)
    other = world.create("other", "every 10 minutes", lambda call: None)
    await world.start()
    await world.run(2 * 3600)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED]
    assert len(world.calls_of(other)) == 12


async def test_a_callback_with_a_nursery_of_its_own_fails_with_its_group(world):
    async def nest(call):
        async def fail():
            await trio.sleep(1)
            raise ValueError("inside")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep, 100)

    job = world.create("nesting", "every 1 hour", nest)
    await world.start()
    await world.run(3602)
    (row,) = world.rows(job, ExecutionStatus.FAILED)
    assert "ValueError: inside" in row.traceback


async def test_a_callback_that_fails_while_it_is_cancelled_is_cancelled(world):
    async def nest(call):
        try:
            await trio.sleep(600)
        finally:
            raise ValueError("in the cleanup")

    job = world.create("nesting", "every 1 hour", nest)
    await world.start()
    await world.run(3660)
    world.cancel(world.calls[0].execution_id)
    await world.run(1)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.CANCELLED
    assert "in the cleanup" in row.error


async def test_a_coroutine_returned_from_a_plain_function_is_a_failure_that_says_why(world):
    async def forgotten():
        """Never awaited."""

    job = world.create("forgetful", "every 1 hour", lambda call: forgotten(), sync=True)
    await world.start()
    await world.run(3601)
    (row,) = world.rows(job, ExecutionStatus.FAILED)
    assert "coroutine" in row.error


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
async def test_a_huge_result_is_cut_and_flagged(world, sync):
    job = world.create("talkative", "every 1 hour", lambda call: {"message": "x" * 10_000_000}, sync=sync)
    await world.start()
    await world.run(3601)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.SUCCEEDED
    assert row.result["flags"] == ["cut"]
    assert len(json.dumps(row.result)) < 70_000


class Unfriendly:
    def __repr__(self):
        raise SystemExit("not even a repr")


def circle():
    circle = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
@pytest.mark.parametrize(
    "value",
    [
        object(),
        Unfriendly(),
        {"success": True, "it": object()},
        {1, 2},
        {"n": float("nan")},
        circle(),
        "\ud800",
        b"\xff",
    ],
    ids=["an object", "no repr", "in a mapping", "a set", "not a number", "a circle", "half a character", "bytes"],
)
async def test_a_result_that_is_no_json_is_kept_as_text(world, value, sync):
    job = world.create("odd", "every 1 hour", lambda call: value, sync=sync)
    await world.start()
    await world.run(3601)
    (row,) = world.rows(job)
    assert row.status in (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED)
    assert row.result is not None
    json.dumps(dict(row.result))


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in threads"])
async def test_every_execution_has_a_copied_context_of_its_own(world, sync):
    mark = contextvars.ContextVar("mark", default=0)
    seen = []

    def note(call):
        seen.append((mark.get(), current_execution.get() == call.execution_id))
        mark.set(call.run_of_job)

    async def note_slowly(call):
        seen.append((mark.get(), current_execution.get() == call.execution_id))
        mark.set(call.run_of_job)
        await trio.sleep(30)
        assert mark.get() == call.run_of_job
        assert current_execution.get() == call.execution_id

    for n in range(3):
        world.create(f"job {n}", "every 1 minute", note if sync else note_slowly, sync=sync)
    mark.set(99)  # whoever starts the engine does not show through, and neither does one execution in another
    await world.start()
    await world.run(300)
    assert len(seen) == 15
    assert {own for _, own in seen} == {True}
    assert len({inherited for inherited, _ in seen}) == 1
    assert mark.get() == 99
    assert current_execution.get() is None
    assert all(row.status is ExecutionStatus.SUCCEEDED for row in world.rows() if row.finished)


async def hoards(call):
    """Keeps a cancellation, and raises it later."""
    kept = BaseException()
    with trio.move_on_after(1):
        try:
            await trio.sleep(10)
        except trio.Cancelled as cancelled:
            kept = cancelled
    raise kept


async def is_deaf(call):
    """Goes on though it is cancelled."""
    with trio.CancelScope(shield=True):
        await trio.sleep(500)


async def leaves_children(call):
    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(trio.sleep, 1000 + n)
        await trio.sleep(1)
        raise ValueError("leaving them behind")


async def cancels_itself(call):
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.sleep(1)
    await trio.sleep(1)


def sleeps_through_its_timeout(call):
    call.sleep(1500)


async def forgotten():
    """Never awaited."""


#: What each does, whether it can be done in the loop and in a thread, and what becomes of it.
HOSTILE = {
    **{part.__name__: (part, "both", {"failed"}) for part in FAILING},
    "hoards": (hoards, "async", {"failed"}),
    "is_deaf": (is_deaf, "async", {"timed_out"}),
    "leaves_children": (leaves_children, "async", {"failed"}),
    "cancels_itself": (cancels_itself, "async", {"succeeded"}),
    "sleeps_through_its_timeout": (sleeps_through_its_timeout, "sync", {"timed_out"}),
    "returns a coroutine": (lambda call: forgotten(), "sync", {"failed"}),
    "returns much": (lambda call: {"message": "x" * 1_000_000}, "both", {"succeeded"}),
    "returns an object": (lambda call: {"it": object()}, "both", {"succeeded"}),
    "returns a circle": (lambda call: circle(), "both", {"succeeded"}),
    "returns what has no repr": (lambda call: Unfriendly(), "both", {"succeeded"}),
    "returns half a character": (lambda call: "\ud800", "both", {"succeeded"}),
}


async def test_all_kinds_at_once_and_the_others_keep_their_time(world):
    """Every ten minutes, all in the same instant, in the loop and in threads; and others every minute, on time."""
    hostile = {}
    for name, (part, kind, fates) in HOSTILE.items():
        for sync in (False, True) if kind == "both" else (kind == "sync",):
            job = world.create(
                f"{name} ({sync})", "every 10 minutes", part, sync=sync, timeout="5 minutes",
                max_retries=1, retry_delay=60, on_exhausted="continue",
            )  # fmt: skip
            hostile[job] = fates
    good = [world.create(f"good ({sync})", "every 1 minute", lambda call: None, sync=sync) for sync in (False, True)]
    await world.start()
    await world.run(2 * 3600 + 30)
    for job in good:
        minutes = [START + n * MINUTE for n in range(1, 121)]
        assert [call.begun for call in world.calls_of(job)] == minutes
        assert {row.status for row in world.rows(job)} == {ExecutionStatus.SUCCEEDED}
    for job, fates in hostile.items():
        ran = [row for row in world.rows(job) if row.started is not None and row.status.is_final]
        assert {row.status.value for row in ran} == fates, world.job(job).name
        assert world.job(job).is_active
        world.check_every_instant(job)
    assert len(hostile) == 34
    await world.stop(3000)  # some take their time
    assert not world.engine.abandoned
    assert all(row.status.is_final or row.status is ExecutionStatus.WAITING for row in world.rows())
