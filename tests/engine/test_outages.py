"""A store that is away is told of once, and whoever waits for it goes on soon after it is back."""

from __future__ import annotations

import pytest
import trio

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.engine.patience import Outage, Pauses, until_there
from aurora_scheduler.errors import StoreUnavailableError

pytestmark = pytest.mark.trio

ERROR = StoreUnavailableError("jobs.db", "it is locked")


class TrioClock(SystemClock):
    """Goes as the test's own."""

    def monotonic(self) -> float:
        return trio.current_time()


class Place:
    """A store that is away for a while, and who asks it when."""

    def __init__(self, back_at: float) -> None:
        self.back_at = back_at
        self.asked: list[float] = []

    async def ask(self) -> str:
        """What is asked."""
        await trio.lowlevel.checkpoint()
        self.asked.append(round(trio.current_time() - self.began, 3))
        if trio.current_time() < self.began + self.back_at:
            raise ERROR
        return "answer"

    async def until_there(self, outage: Outage) -> None:
        """Ask until there is an answer."""
        self.began = trio.current_time()
        assert await until_there(outage, self.ask, "a question") == "answer"


def said(caplog):
    """What an operator reads."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


async def test_it_is_asked_ever_less_often(autojump_clock):
    place = Place(back_at=20)
    await place.until_there(Outage("written", TrioClock()))
    assert place.asked == [0.0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 16.3, 21.3]


async def test_all_try_at_once_when_one_who_looks_regularly_gets_through(autojump_clock):
    outage, place = Outage("written", TrioClock()), Place(back_at=12)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.until_there, outage)
        await trio.sleep(12)
        outage.end_for_all()
    assert place.asked[-2:] == [11.3, 12.0]


async def test_who_was_woken_in_vain_sleeps_through_its_next_pause(autojump_clock):
    outage, place = Outage("written", TrioClock()), Place(back_at=12)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.until_there, outage)
        for _ in range(26):
            await trio.sleep(0.5)
            outage.end_for_all()
    # Woken once, then left alone; again, and so on: never as often as the others get through.
    assert place.asked == [0.0, 0.1, 0.3, 0.5, 1.3, 1.5, 4.7, 5.0, 10.0, 10.5, 15.5]


async def test_it_is_told_of_once_however_many_wait_and_again_when_it_is_over(autojump_clock, caplog):
    outage = Outage("written", TrioClock())
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(Place(back_at=12).until_there, outage)
    first, last = said(caplog)
    assert first.startswith("the database cannot be written now, and what needs that waits: ")
    assert "jobs.db" in first
    assert last == "the database can be written again, after 16.3 s"


async def test_it_is_told_of_each_minute_while_it_lasts(autojump_clock, caplog):
    await Place(back_at=200).until_there(Outage("read", TrioClock()))
    _, *still, last = said(caplog)
    assert [line.split(":")[0] for line in still] == [
        f"the database cannot be read for {seconds} s now" for seconds in (61, 121, 181)
    ]
    assert last == "the database can be read again, after 201.3 s"


async def test_the_next_outage_is_told_of_anew_and_its_first_pause_is_short_again(autojump_clock, caplog):
    outage, pauses = Outage("written", TrioClock()), Pauses()
    for _ in range(2):
        began = trio.current_time()
        await pauses.through(outage, ERROR, "it", None)
        await pauses.through(outage, ERROR, "it", None)
        outage.end()
        pauses.reset()
        assert round(trio.current_time() - began, 3) == 0.3
    assert len(said(caplog)) == 4
