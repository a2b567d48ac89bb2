"""A cron daemon that looks at the clock every minute agrees: a sample; `nox -s oracle` goes through every zone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import instant_of
from aurora_scheduler.schedules import fires, parse_schedule, zones
from support.daemon import MINUTE, Watch, all_zones, draw_expression
from support.differential import tried

#: Half-hour shifts, odd offsets, midnight gaps, a skipped day, shifts of two and three hours, negative daylight saving,
#: and clocks that were turned for good.
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "America/Caracas", "America/Danmarkshavn", "America/Havana",
    "America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/St_Johns",
    "Antarctica/Casey", "Antarctica/Troll", "Antarctica/Vostok", "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu",
    "Asia/Pyongyang", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Europe/Lisbon",
    "Europe/Volgograd", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kwajalein", "UTC",
)  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_a_daemon_that_looks_at_the_clock_every_minute_agrees(zone):
    tally = tried("suite", zone, windows=3)
    assert tally.cases == 18
    assert tally.wrong == []


def some_turn(chance: random.Random, zone: ZoneInfo) -> datetime:
    """An instant at which clocks in the zone are turned, in some year; any other where they never are."""
    for year in chance.sample(range(1973, 2038), 65):
        weeks = [datetime(year, 1, 3, tzinfo=UTC) + number * timedelta(days=7) for number in range(52)]
        for low, high in pairwise(weeks):
            old, new = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
            if old != new:
                while high - low > MINUTE:
                    middle = low + (high - low) // MINUTE // 2 * MINUTE
                    low, high = (low, middle) if middle.astimezone(zone).utcoffset() == new else (middle, high)
                return high
    return datetime(chance.randint(1973, 2037), 1, 3, tzinfo=UTC)


def test_a_daemon_agrees_about_a_turn_of_every_zone():
    wrong = []
    for name in all_zones():
        chance, zone = random.Random(name), ZoneInfo(name)
        watch = Watch(zone, some_turn(chance, zone) - 240 * MINUTE, 480)
        first, end = (instant_of(watch.start + number * MINUTE) for number in (0, watch.minutes))
        for _ in range(2):
            expression = draw_expression(chance, watch.interesting())
            expected = [instant_of(each) for each in watch.firings(expression)]
            try:
                schedule = parse_schedule(expression.text, name)
                found = fires(schedule, first - 1, len(expected) + 1, end - 1)
            except ScheduleError as error:  # a date that never comes is refused
                found = [] if "never fire" in str(error) else None
            if found != expected:
                wrong.append((expression.text, name, watch.start))
    assert wrong == []


@pytest.mark.parametrize(("zone", "limit"), [("America/New_York", 0), ("Antarctica/Casey", 10**18)])
def test_the_comparison_notices_a_wrong_rule(zone, limit, monkeypatch):
    """No jump is daylight saving, or every one is: both are found out."""
    monkeypatch.setattr(zones, "_CORRECTION", limit)
    zones._stretches.cache_clear()
    try:
        assert tried("suite", zone, windows=8).wrong
    finally:
        zones._stretches.cache_clear()
