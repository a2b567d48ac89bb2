"""Excluded dates and a part of the day, over every kind of schedule; a plain filter as a second opinion."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_scheduler.instants import SECOND, aware
from aurora_scheduler.schedules import Schedule, fires, limited, parse_schedule, parse_time_of_day, to_instant

MINUTE, DAY = 60 * SECOND, 86_400 * SECOND

properties = settings(derandomize=True, max_examples=150, deadline=None)


def within(text: str, zone: str, excluded: list[str], between: tuple[str, str] | None, now: int = 0) -> Schedule:
    window = None if between is None else (parse_time_of_day(between[0]), parse_time_of_day(between[1]))
    return limited(parse_schedule(text, zone, now=now), tuple(excluded), window)


def walls(schedule: Schedule, after: str, count: int) -> list[str]:
    found = fires(schedule, to_instant(after, schedule.zone.key), count)
    return [f"{aware(instant, schedule.zone):%Y-%m-%d %H:%M}" for instant in found]


def test_nothing_fires_on_an_excluded_date():
    schedule = within("0 */12 * * *", "Asia/Tokyo", ["2030-12-25", "2030-12-26"], None)
    assert walls(schedule, "2030-12-24", 3) == ["2030-12-24 12:00", "2030-12-27 00:00", "2030-12-27 12:00"]


def test_both_ends_of_the_part_of_the_day_are_in_it():
    schedule = within("0 * * * *", "UTC", [], ("09:00", "11:00"))
    assert walls(schedule, "2030-01-01", 4) == [f"2030-01-{day}:00" for day in ("01 09", "01 10", "01 11", "02 09")]


def test_a_part_of_the_day_may_run_over_midnight():
    schedule = within("0 */2 * * *", "UTC", [], ("22:00", "02:00"))
    assert walls(schedule, "2030-01-01 12:00", 4) == [
        f"2030-01-{day}:00" for day in ("01 22", "02 00", "02 02", "02 22")
    ]


def test_an_interval_keeps_its_rate_and_skips_what_is_outside():
    schedule = within("every 5 hours", "UTC", ["1970-01-03"], ("09:00", "17:00"))
    assert walls(schedule, "1970-01-01", 4) == [f"1970-01-{day}:00" for day in ("01 10", "01 15", "02 11", "02 16")]
    assert walls(schedule, "1970-01-02 17:00", 1) == ["1970-01-04 13:00"]


def test_a_calendar_schedule_is_limited_by_the_time_it_names():
    named = within("30 2 * * *", "Europe/Berlin", [], ("02:00", "02:45"))
    assert walls(named, "2030-03-30 12:00", 1) == ["2030-03-31 03:00"]


def test_what_never_lies_within_never_fires_and_the_search_ends():
    assert within("0 8 * * *", "UTC", [], ("09:00", "17:00")).next_instant(0) is None
    assert within("every 24 hours", "UTC", [], ("09:00", "17:00")).next_instant(0) is None
    assert within("every 24 hours", "UTC", [], ("09:00", "17:00")).previous_instant(10**15) is None
    assert within("2030-12-25 09:00", "UTC", ["2030-12-25"], None).next_instant(0) is None


def test_limits_are_told():
    schedule = within("every 5 hours", "UTC", ["2030-12-25"], ("09:00", "17:00"))
    assert "only between 09:00 and 17:00, not on 2030-12-25" in schedule.describe()
    assert within("*/30 * * * *", "UTC", [], ("09:00", "17:00")).describe() == (
        "every 30 minutes from 09:00 to 17:00 every day, in UTC"
    )


@properties
@given(
    text=st.sampled_from(
        ["every 7 minutes", "every 5 hours", "every 25 hours", "*/20 * * * *", "30 2 * * *", "0 0 * * 0", "every 1 day"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]),
    start=st.sampled_from(["2018-03-23", "2018-10-26", "2018-11-03", "2011-12-28", "2018-04-06"]),
    excluded=st.lists(st.integers(0, 9), max_size=4),
    between=st.none()
    | st.sampled_from([("00:00", "02:30"), ("02:15", "03:00"), ("23:00", "01:00"), ("09:00", "17:00")]),
    cut=st.integers(0, 9 * 1440),
)
def test_limits_leave_what_a_filter_leaves(text, zone, start, excluded, between, cut):
    first = to_instant(start, zone)
    end = first + 9 * DAY
    days = sorted({str(date.fromisoformat(start) + timedelta(days=number)) for number in excluded})
    schedule = within(text, zone, days, between, now=first - 3 * DAY)
    # A calendar schedule's part of the day is that of the wall times it names: told elsewhere; here by the clock.
    by_clock = None if between is None or not text.startswith("every") else tuple(map(parse_time_of_day, between))

    def fits(instant: int) -> bool:
        moment = aware(instant, schedule.zone)
        time = (moment.hour * 3600 + moment.minute * 60 + moment.second) * SECOND
        if str(moment.date()) in days:
            return False
        if by_clock is None:
            return True
        low, high = by_clock
        return low <= time <= high if low <= high else time >= low or time <= high

    unlimited = parse_schedule(text, zone, now=first - 3 * DAY)
    base = limited(unlimited, (), None if by_clock else None if between is None else
                   (parse_time_of_day(between[0]), parse_time_of_day(between[1])))  # fmt: skip
    expected = [
        instant for instant in fires(base if by_clock is None else unlimited, first, 2000, end) if fits(instant)
    ]
    assert fires(schedule, first, 2000, end) == expected
    middle = first + cut * MINUTE
    assert schedule.count(first, end) == len(expected)
    assert schedule.count(first, middle) == sum(instant <= middle for instant in expected)
    before = [instant for instant in expected if instant < middle]
    if before:
        assert schedule.previous_instant(middle) == before[-1]
        assert schedule.span(before[0], middle - 1) == (before[-1], len(before))


@pytest.mark.parametrize("days", [[], ["1970-01-02"]])
def test_a_schedule_without_limits_is_itself(days):
    schedule = parse_schedule("0 9 * * *")
    assert (limited(schedule, tuple(days), None) is schedule) == (not days)
