"""The clock: the only door to time, ids and chance."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler import timers
from aurora_scheduler.clock import SystemClock, new_id
from stores.making import run

NOW = 2_000_000_000_000_000
instants = st.integers(0, 2**63 - 1)
chances = st.integers(0, 2**64 - 1)


class SetClock(SystemClock):
    """A clock that shows what it is told to."""

    def __init__(self, *instants, seed=None):
        super().__init__(seed)
        self._instants = iter(instants)
        self._shown = 0

    def now(self):
        self._shown = next(self._instants, self._shown)
        return self._shown


def test_now_is_the_wall_clock_in_whole_microseconds(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_234_567_890_123_456_789)
    assert SystemClock().now() == 1_234_567_890_123_456


def test_an_id_is_its_instant_and_its_chance_in_hexadecimal():
    assert SetClock(NOW, seed=1).new_id().startswith(f"{NOW:016x}")
    assert re.fullmatch("[0-9a-f]{32}", SystemClock().new_id())


@given(instants, chances, instants, chances)
def test_ids_sort_by_their_instants(a, chance_a, b, chance_b):
    assert (new_id(a, chance_a) < new_id(b, chance_b)) == ((a, chance_a) < (b, chance_b))


@given(st.lists(instants, min_size=2, max_size=20))
def test_ids_sort_as_they_came_however_the_clock_is_set(shown):
    """Two in one microsecond, or after the clock was set back, must not change places."""
    made = SetClock(*shown)
    ids = [made.new_id() for _ in shown]
    assert ids == sorted(set(ids))


def test_a_clock_before_1970_still_makes_ids_that_sort():
    made = SetClock(-5, -4, -100, 3)
    ids = [made.new_id() for _ in range(5)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_ids_are_unique_over_threads_and_sort_in_each():
    shared, together = SystemClock(), threading.Barrier(8)

    def make(_):
        together.wait(60)
        return [shared.new_id() for _ in range(5_000)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert all(ids == sorted(ids) for ids in made)
    assert len({each for ids in made for each in ids}) == 8 * 5_000


def test_two_clocks_that_show_the_same_make_different_ids():
    """As two processes do."""
    one, two = SetClock(NOW), SetClock(NOW)
    assert {one.new_id() for _ in range(100)}.isdisjoint({two.new_id() for _ in range(100)})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_make_the_ids_that_its_parent_makes():
    program = """
import os
from aurora_scheduler.clock import SystemClock

class Still(SystemClock):
    def now(self):
        return 2_000_000_000_000_000

clock = Still()
clock.new_id()
reads, writes = os.pipe()
if os.fork() == 0:
    os.write(writes, clock.new_id().encode())
    os._exit(0)
os.wait()
child, own = os.read(reads, 100).decode(), clock.new_id()
print(child[:16] == own[:16], child == own)
"""
    assert run(program, measured=False) == "True False"


def test_the_chance_of_a_seeded_clock_repeats():
    def chance(seed):
        made = SetClock(NOW, seed=seed)
        return [made.new_id()[16:] for _ in range(20)]

    assert chance(7) == chance(7)
    assert chance(7) != chance(8)
    assert chance(0) == chance(0), "0 is a seed too"
    assert len(set(chance(7))) == 20


@pytest.mark.trio
class TestBeingSet:
    """Nobody sets the clock of a machine that others work on: the timer that Linux would cancel is played by a pipe."""

    async def test_where_the_system_tells_it_is_waited_for(self, monkeypatch):
        told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        read = os.read

        def cancelled(file, count):
            read(file, count)
            raise OSError(errno.ECANCELED, "the clock was set")

        monkeypatch.setattr(timers, "_make", lambda clock: told)
        monkeypatch.setattr(timers, "_cancel_on_set", lambda file: True)
        monkeypatch.setattr(os, "read", cancelled)
        with SystemClock().watched() as until_set:
            for _ in range(3):
                assert not await _returns_at_once(until_set)
                os.write(tell, b"the time")
                assert await _returns_at_once(until_set)
            os.write(tell, b"the time")  # while nobody waits
            assert await _returns_at_once(until_set)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(told)
        os.close(tell)

    async def test_another_error_is_no_step(self, monkeypatch):
        told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def fails(file, count):
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(timers, "_make", lambda clock: told)
        monkeypatch.setattr(timers, "_cancel_on_set", lambda file: True)
        monkeypatch.setattr(os, "read", fails)
        with SystemClock().watched() as until_set:
            os.write(tell, b"the time")
            with pytest.raises(OSError, match="broken"):
                await until_set()
        os.close(tell)

    @pytest.mark.skipif(not hasattr(os, "timerfd_create"), reason="needs Linux, and Python 3.13")
    async def test_a_clock_that_nobody_sets_is_quiet(self):
        with SystemClock().watched() as until_set:
            assert not await _returns_at_once(until_set)

    async def test_where_the_system_does_not_tell_it_may_have_been_set_every_second(self, monkeypatch, autojump_clock):
        monkeypatch.setattr(timers, "_make", lambda clock: None)
        with SystemClock().watched() as until_set:
            began = trio.current_time()
            await until_set()
            assert trio.current_time() - began == 1


@pytest.mark.trio
class TestTimer:
    @pytest.fixture(params=["the kernel's", "Trio's"])
    def timer(self, request, monkeypatch):
        if request.param == "Trio's":
            monkeypatch.setattr(timers, "_make", lambda clock: None)
        elif not hasattr(os, "timerfd_create"):
            pytest.skip("needs Linux, and Python 3.13")
        with SystemClock().timer() as timer:
            yield timer

    async def test_it_rings_when_it_is_told_to_and_not_before(self, timer):
        at = time.monotonic() + 0.05
        timer.arm(at)
        await timer.wait()
        assert time.monotonic() >= at

    async def test_a_moment_that_has_passed_rings_at_once(self, timer):
        for at in (0.0, -1.0, time.monotonic()):
            timer.arm(at)
            assert await _returns_at_once(timer.wait)

    async def test_it_can_be_armed_for_earlier_while_it_is_waited_for(self, timer):
        timer.arm(time.monotonic() + 3600)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timer.wait)
            await trio.testing.wait_all_tasks_blocked()
            timer.arm(time.monotonic())

    async def test_armed_for_later_it_does_not_ring_for_the_earlier_moment(self, timer):
        timer.arm(time.monotonic() + 0.01)
        timer.arm(time.monotonic() + 3600)
        assert not await _returns_at_once(timer.wait)

    async def test_for_ever_is_never(self, timer):
        timer.arm(float("inf"))
        assert not await _returns_at_once(timer.wait)


async def _returns_at_once(wait):
    with trio.move_on_after(0.02) as scope:
        await wait()
    return not scope.cancelled_caught
