"""Whether very many decisions are written, one second after the other; and what follows from that."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from aurora_scheduler.engine.keeper import spare_collector
from aurora_scheduler.engine.pace import Pace


class Seconds:
    """A clock that stands where it is put."""

    at = 0.0

    def monotonic(self):
        return self.at


@pytest.fixture
def seconds():
    return Seconds()


def test_a_thousand_within_a_second_are_very_many_in_however_many_batches(seconds):
    pace = Pace(seconds)
    for _ in range(99):
        pace.note(10)
    assert not pace.look_anew()
    pace.note(10)
    assert pace.look_anew()


def test_a_thousand_over_a_longer_time_are_not(seconds):
    pace = Pace(seconds)
    for _ in range(10):
        pace.note(400)
        seconds.at += 0.5
    assert not pace.look_anew()


def test_whether_there_were_is_asked_anew_each_time(seconds):
    pace = Pace(seconds)
    pace.note(1000)
    assert [pace.look_anew(), pace.look_anew()] == [True, False]
    pace.note(1)
    assert pace.look_anew(), "the second is not over"


@pytest.fixture
def thresholds():
    usual = gc.get_threshold()
    gc.set_threshold(2000, 10, 10)
    yield
    gc.set_threshold(*usual)


@pytest.mark.trio
async def test_as_long_as_very_many_are_written_what_is_older_is_collected_more_seldom(
    seconds, thresholds, autojump_clock
):
    book = SimpleNamespace(pace=Pace(seconds))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spare_collector, book)
        await trio.sleep(100)
        assert gc.get_threshold() == (2000, 10, 10)
        for _ in range(60):
            seconds.at += 1.0
            book.pace.note(1000)
            await trio.sleep(1)
            assert gc.get_threshold() == (100_000, 200, 10)
        await trio.sleep(21)
        assert gc.get_threshold() == (2000, 10, 10)
        book.pace.note(1000)
        await trio.testing.wait_all_tasks_blocked()
        assert gc.get_threshold() == (100_000, 200, 10)
        nursery.cancel_scope.cancel()
    assert gc.get_threshold() == (2000, 10, 10), "a scheduler that stops leaves it as it was"
