"""Schedules told in words, and the odd days that are told with them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import available_timezones

import pytest

from aurora_scheduler import FireTime, next_fire_times
from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.instants import SECOND, instant_of
from aurora_scheduler.schedules import fires, parse_schedule

NOW = instant_of(datetime(2029, 12, 1, 12, tzinfo=UTC))


def described(text: str, zone: str = "UTC") -> str:
    return parse_schedule(text, zone, now=NOW).describe()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("@daily", "at 00:00 every day"),
        ("15 * * * *", "at :15 past every hour every day"),
        ("*/25 * * * *", "at :00, :25 and :50 past every hour every day"),
        ("5,10,50 9-17 * * *", "at :05, :10 and :50 past every hour from 09 to 17 every day"),
        ("5,10,50 9,11,14 * * *", "at :05, :10 and :50 past the hours 09, 11 and 14 every day"),
        ("*/15 9-16 * * 1-5", "every 15 minutes from 09:00 to 16:45 on weekdays"),
        ("0 9,12,15 * * 5L", "every 3 hours from 09:00 to 15:00 on the last Friday of the month"),
        ("30 8,20 * * 6,0", "at 08:30 and 20:30 on weekends"),
        ("0 9 * * mon,wed,sun", "at 09:00 every Monday, Wednesday and Sunday"),
        ("0 0 1,15 * 5", "at 00:00 on the 1st and the 15th of the month, and every Friday"),
        ("0 0 1-7 * */7", "at 00:00 on the 1st to 7th of the month where that is a Sunday"),
        ("0 0 */2 2 0", "at 00:00 on every 2nd day from the 1st to the 31st of February where that is a Sunday"),
        ("0 0 1-31 * 1", "at 00:00 every day"),
        ("0 0 L 1-6 *", "at 00:00 on the last day of January to June"),
        ("0 0 1,L 2,8 *", "at 00:00 on the 1st and the last day of February and August"),
        ("0 0 * * 1#1,5L", "at 00:00 on the first Monday and last Friday of the month"),
        ("0 0 * 1 1#1", "at 00:00 on the first Monday of the month in January"),
        ("0 0 * 7 *", "at 00:00 every day in July"),
        ("@yearly", "at 00:00 on the 1st of January"),
        ("every monday at 9am", "at 09:00 every Monday"),
        ("every 25 minutes between 9am and 10am", "every 25 minutes from 09:00 to 09:50 every day"),
        ("every 2 hours on mondays", "every 2 hours every Monday"),
        ("every 90 minutes", "every 90 minutes, counted from Saturday 1 December 2029 at 12:00"),
        ("every 1 day", "every 1 day (days of 24 hours), counted from Saturday 1 December 2029 at 12:00"),
        ("in 90 seconds", "once, on Saturday 1 December 2029 at 12:01:30"),
        ("05/06/2030", "once, on Monday 6 May 2030 at 00:00"),
        ("2030-06-05 15:00:00.5", "once, on Wednesday 5 June 2030 at 15:00:00.500000"),
    ],
)  # fmt: skip
def test_a_schedule_is_told_in_plain_english_with_its_zone(text, words):
    assert described(text) == f"{words}, in UTC"


@pytest.mark.parametrize(
    ("text", "zone", "notes"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            [
                "02:30 does not exist on 2030-03-31 in Berlin: fires at 03:00",
                "02:30 occurs twice on 2030-10-27 in Berlin: fires the first time only",
            ],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            [
                "02:00 and 02:30 do not exist on 2030-03-31 in Berlin: no firing",
                "02:00 and 02:30 occur twice on 2030-10-27 in Berlin: fires both times",
            ],
        ),
        (
            "every sunday at 2:00 and 2:15",
            "Australia/Lord_Howe",
            ["02:00 and 02:15 do not exist on 2030-10-06 in Lord Howe: fires at 02:30"],
        ),
        ("2030-03-31 02:30", "Europe/Berlin", ["02:30 does not exist on 2030-03-31 in Berlin: fires at 03:00"]),
        (
            "2030-10-27 02:30",
            "Europe/Berlin",
            ["02:30 occurs twice on 2030-10-27 in Berlin: fires the first time only"],
        ),
        ("0 9 * * *", "Europe/Berlin", []),
        ("30 2 * * 1", "Europe/Berlin", []),
        ("2030-10-27 02:30+02:00", "Europe/Berlin", []),
        ("every 1 hour", "Europe/Berlin", []),
    ],
)
def test_what_daylight_saving_makes_odd_in_the_year_to_come_is_told(text, zone, notes):
    assert described(text, zone).split("; ")[1:] == notes


def test_the_odd_days_after_another_moment_can_be_asked_for():
    schedule = parse_schedule("30 2 * * *", "Europe/Berlin")
    assert "2019-03-31" in schedule.describe(datetime(2019, 1, 1))
    assert "2011-12-30" in parse_schedule("0 9 * * *", "Pacific/Apia").describe(datetime(2011, 12, 1))


@pytest.mark.parametrize("seed", range(3))
def test_any_expression_can_be_told_in_any_zone_and_its_odd_firings_marked(seed):
    chance = random.Random(seed)
    zones = sorted(available_timezones() - {"localtime", "Factory"})
    items = ["*", "*/7", "1", "2,5", "1-3", "2-6/2", "3/4"]
    for _ in range(150):
        text = " ".join([*chance.choices(items, k=4), chance.choice([*items, "5L", "1#2,0"])])
        schedule = parse_schedule(text, chance.choice(zones))
        start = chance.randrange(2**31) * SECOND
        words = schedule.describe(datetime.fromtimestamp(start / SECOND, UTC))
        assert schedule.zone.key in words
        for instant in fires(schedule, start, 3):
            odd = schedule.oddity(instant)
            assert odd is None or odd.mark in ("gap", "overlap")


# next_fire_times(explain=True). -------------------------------------------------------------------------------------


def marks(text: str, zone: str, start: str, count: int, **limits) -> list[tuple[str, str | None]]:
    found = next_fire_times(text, zone, start, count, explain=True, **limits)
    assert [each.time for each in found if each.mark != "excluded"] == next_fire_times(
        text, zone, start, count, **limits
    )
    assert all((each.mark is None) == (each.note is None) for each in found)
    return [(f"{each.time:%m-%d %H:%M%z}", each.mark) for each in found]


def test_a_firing_at_the_end_of_a_gap_is_marked():
    assert marks("0,30 2,3 * * *", "Europe/Berlin", "2030-03-31", 3) == [
        ("03-31 03:00+0200", "gap"),
        ("03-31 03:30+0200", None),
        ("04-01 02:00+0200", None),
    ]


def test_a_repeated_firing_is_marked_both_times():
    assert marks("*/30 * * * *", "Europe/Berlin", "2030-10-27 01:00", 6) == [
        ("10-27 01:30+0200", None),
        ("10-27 02:00+0200", "overlap"),
        ("10-27 02:30+0200", "overlap"),
        ("10-27 02:00+0100", "overlap"),
        ("10-27 02:30+0100", "overlap"),
        ("10-27 03:00+0100", None),
    ]


def test_a_fixed_firing_of_a_repeated_time_is_marked_once():
    assert marks("30 2 * * *", "Europe/Berlin", "2030-10-27", 2) == [
        ("10-27 02:30+0200", "overlap"),
        ("10-28 02:30+0100", None),
    ]


def test_an_excluded_date_is_listed_and_does_not_count():
    assert marks("0 */6 * * *", "UTC", "2030-12-23 20:00", 3, exclude_dates=["2030-12-24", date(2030, 12, 31)]) == [
        ("12-24 00:00+0000", "excluded"),
        ("12-25 00:00+0000", None),
        ("12-25 06:00+0000", None),
        ("12-25 12:00+0000", None),
    ]


def test_a_firing_that_is_not_odd_has_neither_mark_nor_note():
    nine = datetime(2030, 1, 2, 9, tzinfo=UTC)
    assert next_fire_times("0 9 * * *", "UTC", "2030-01-01 12:00", 1, explain=True) == [FireTime(nine)]


def test_limits_that_leave_nothing_are_refused():
    with pytest.raises(ScheduleError, match="would never fire"):
        next_fire_times("0 8 * * *", only_between=("09:00", "17:00"))
    with pytest.raises(ScheduleError, match="would never fire"):
        next_fire_times("2030-12-25 09:00", exclude_dates=["2030-12-25"])


@pytest.mark.parametrize("dates", ["2030-12-25", 5, [5], ["soon"], ["2030-12-25 09:00"], [datetime(2030, 12, 25)]])
def test_wrong_dates_are_refused(dates):
    with pytest.raises(OptionError, match="exclude_dates"):
        next_fire_times("0 9 * * *", exclude_dates=dates)


@pytest.mark.parametrize("times", ["09:00", ("09:00",), ("9", "17"), ("09:00", "09:00"), (9, 17), ("soon", "later")])
def test_a_wrong_part_of_the_day_is_refused(times):
    with pytest.raises(OptionError, match="only_between"):
        next_fire_times("0 9 * * *", only_between=times)
