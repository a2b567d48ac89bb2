"""The garbage collector, held for a while: what is garbage then goes afterwards, or when there is much of it."""

from __future__ import annotations

import gc
import weakref

import pytest

from aurora_scheduler import garbage
from aurora_scheduler.garbage import CollectorHold, SeldomCollected, collector_held


class Knot:
    """Something that refers to itself, and so goes only when it is collected."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def collector():
    usual = gc.get_threshold()
    gc.set_threshold(2000, 10, 10)
    gc.enable()
    yield
    gc.enable()
    gc.set_threshold(*usual)


@pytest.fixture
def knot():
    gc.collect()
    return weakref.ref(Knot())


def make_many(count):
    return [[] for _ in range(count)]


def test_while_it_is_held_nothing_is_collected_and_afterwards_it_is_as_it_was():
    with collector_held():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_is_off_it_stays_off():
    gc.disable()
    hold = CollectorHold()
    hold.begin()
    hold.collect_young()
    hold.end()
    assert not gc.isenabled()


def test_in_a_long_hold_little_is_left_alone(knot):
    hold = CollectorHold()
    hold.begin()
    kept = make_many(garbage._MUCH // 4)
    hold.collect_young()
    assert knot() is not None
    hold.end()
    assert kept


def test_in_a_long_hold_much_is_collected(knot):
    hold = CollectorHold()
    hold.begin()
    kept = make_many(garbage._MUCH + 1000)
    hold.collect_young()
    assert knot() is None
    assert not gc.isenabled(), "it is still held"
    hold.end()
    assert kept


def test_what_is_new_is_looked_at_when_there_is_much_and_what_is_older_more_seldom():
    seldom = SeldomCollected()
    seldom.begin()
    assert gc.get_threshold() == (100_000, 200, 10)
    seldom.end()
    assert gc.get_threshold() == (2000, 10, 10)


def test_what_is_garbage_goes_all_the_same_when_there_is_much(knot):
    seldom = SeldomCollected()
    seldom.begin()
    kept = make_many(50_000)
    before = knot() is not None
    kept += make_many(60_000)
    seldom.end()
    assert before
    assert knot() is None
    assert kept


def test_a_program_that_has_what_is_new_looked_at_more_seldom_still_is_left_to_it():
    gc.set_threshold(500_000, 10, 10)
    seldom = SeldomCollected()
    seldom.begin()
    assert gc.get_threshold() == (500_000, 200, 10)
    seldom.end()
    assert gc.get_threshold() == (500_000, 10, 10)


@pytest.mark.parametrize("told", [(2000, 500, 10), (500, 0, 0), (0, 0, 0), (0, 10, 10)])
def test_a_program_that_has_it_looked_at_more_seldom_still_or_never_is_left_alone(told):
    gc.set_threshold(*told)
    seldom = SeldomCollected()
    seldom.begin()
    told_then = gc.get_threshold()
    seldom.end()
    assert told_then == gc.get_threshold() == told


def test_what_a_program_says_meanwhile_stands():
    seldom = SeldomCollected()
    seldom.begin()
    gc.set_threshold(700, 20, 5)
    seldom.end()
    assert gc.get_threshold() == (700, 20, 5)


def test_two_that_have_it_looked_at_more_seldom_leave_it_as_it_was_in_either_order():
    for order in (1, -1):
        both = [SeldomCollected(), SeldomCollected()]
        for each in both:
            each.begin()
        for each in both[::order]:
            each.end()
        assert gc.get_threshold() == (2000, 10, 10)
