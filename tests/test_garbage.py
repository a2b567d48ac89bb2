"""The garbage collector, held for a while: what is garbage then goes afterwards, or when there is much of it."""

from __future__ import annotations

import gc
import weakref

import pytest

from aurora_scheduler import garbage
from aurora_scheduler.garbage import CollectorHold, collector_held


class Knot:
    """Something that refers to itself, and so goes only when it is collected."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def collector():
    gc.enable()
    yield
    gc.enable()


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
