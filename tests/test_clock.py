"""The clock: the only door to time, ids and chance."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.clock import SystemClock, new_id

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


def test_the_chance_of_a_seeded_clock_repeats():
    def chance(seed):
        made = SetClock(NOW, seed=seed)
        return [made.new_id()[16:] for _ in range(20)]

    assert chance(7) == chance(7)
    assert chance(7) != chance(8)
    assert chance(0) == chance(0), "0 is a seed too"
    assert len(set(chance(7))) == 20
