"""Cron expressions: the worked examples, what is accepted and refused, and where the search ends."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import LAST, SECOND, aware, instant_of
from aurora_scheduler.schedules import fires, parse_schedule

ROWS = json.loads(Path(__file__).with_name("cron_oracle.json").read_text())["rows"]


def at(text: str) -> int:
    return instant_of(datetime.fromisoformat(text))


def utc(text: str) -> int:
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def first(expression: str, count: int = 3, zone: str = "UTC", after: str = "2025-01-01") -> list[str]:
    found = fires(parse_schedule(expression, zone), utc(after), count)
    return [f"{aware(instant, ZoneInfo(zone)):%Y-%m-%d %H:%M}" for instant in found]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_worked_examples_are_right(row):
    schedule = parse_schedule(row["expr"], row["tz"])
    expected = [at(text) for text in row["expected"]]
    assert fires(schedule, at(row["start"]), len(expected)) == expected
    assert schedule.span(expected[0], expected[-1]) == (expected[-1], len(expected))


# What is accepted, and what it means. -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("5-5 * * * *", "5 * * * *"),
        ("*/15 5-5/1 * * *", "0,15,30,45 5 * * *"),
        ("50/5 * * * *", "50,55 * * * *"),
        ("59/15 * * * *", "59 * * * *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 7-7", "0 0 * * sun"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 7/2", "0 0 * * 0"),
        ("0 0 * * SAT-7", "0 0 * * 0,6"),
        ("0 0 * FEB-apr/2 *", "0 0 * 2,4 *"),
        ("0 0 * * mon/2", "0 0 * * 1,3,5"),
        ("0 0 * * L5", "0 0 * * 5L"),
        ("0 0 * * friL", "0 0 * * 5L"),
        ("0 0 * * 7L", "0 0 * * 0l"),
        ("0 0 * * Mon#2", "0 0 * * 1#2"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("  0\t9  * * 1-5 ", "0 9 * * 1-5"),
    ],
)
def test_two_ways_of_saying_the_same(expression, same):
    assert first(expression, 40) == first(same, 40)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 L * *", ["2025-01-31", "2025-02-28", "2025-03-31"]),
        ("0 0 15,L 2 *", ["2025-02-15", "2025-02-28", "2026-02-15"]),
        ("0 0 * * 5L", ["2025-01-31", "2025-02-28", "2025-03-28"]),
        ("0 0 * * 1#5", ["2025-03-31", "2025-06-30", "2025-09-29"]),
        ("0 0 * * 1#1,1#3", ["2025-01-06", "2025-01-20", "2025-02-03"]),
        ("0 0 * * 1#1,wed", ["2025-01-06", "2025-01-08", "2025-01-15"]),
        ("0 0 2 * 1#1", ["2025-01-02", "2025-01-06", "2025-02-02"]),
        ("0 0 L * 5", ["2025-01-03", "2025-01-10", "2025-01-17"]),
        ("0 0 L */2 3", ["2025-01-08", "2025-01-15", "2025-01-22"]),
        ("0 0 */10 * 6", ["2025-01-11", "2025-02-01", "2025-03-01"]),
        ("0 0 1-31 * 1", ["2025-01-02", "2025-01-03", "2025-01-04"]),
        ("0 0 31 4 1", ["2025-04-07", "2025-04-14", "2025-04-21"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 29 2 */7", ["2032-02-29", "2060-02-29", "2088-02-29"]),
    ],
)
def test_days_are_matched_as_documented(expression, expected):
    assert first(expression) == [f"{day} 00:00" for day in expected]


def test_the_text_is_kept_as_it_was_given_but_for_blanks():
    assert parse_schedule("  0  9 * *\tMon-FRI ").text == "0 9 * * Mon-FRI"


@pytest.mark.parametrize(
    ("expression", "part", "hint"),
    [
        ("* * * *", None, "five fields, and this has 4"),
        ("0 9 * * * *", "*", "five fields, and this has 6"),
        ("0 0 9 * * * 2030", "* 2030", "five fields, and this has 7"),
        ("61 * * * *", "61", "minute field, the value is 61, and must be 0 to 59"),
        ("0 24 * * *", "24", "hour field, the value is 24, and must be 0 to 23"),
        ("0 0 0 * *", "0", "day of month field, the value is 0, and must be 1 to 31"),
        ("0 0 1 13 *", "13", "month field, the value is 13, and must be 1 to 12"),
        ("0 0 * * 8", "8", "day of week field, the value is 8, and must be 0 to 7"),
        ("0 0 * * 1#6", "1#6", "must be 1 to 5"),
        ("0 0 * * 9L", "9", "must be 0 to 7"),
        ("*/0 * * * *", "*/0", "the step is 0"),
        ("*/90 * * * *", "*/90", "the step is 90, and must be 1 to 60"),
        ("1,,2 * * * *", "1,,2", "an empty item"),
        (", * * * *", ",", "an empty item"),
        ("0 9 * * 5-1", "5-1", "ends before it begins; write 5-6,0-1"),
        ("0 9 * * Fri-Sun", "Fri-Sun", "write 5-7"),
        ("50-10 * * * *", "50-10", "write 50-59,0-10"),
        ("0 9 15W * *", "15W", "nearest weekday"),
        ("0 9 LW * *", "LW", "nearest weekday"),
        ("0 9 ? * 1", "?", "write *"),
        ("0 9 L-3 * *", "L-3", "not a number"),
        ("0 9 * * L", "L", "the last Friday is 5L"),
        ("0 L * * *", "L", "L is the last day of the month"),
        ("0 9 * * 1-5#2", "1-5#2", "not a number"),
        ("-5 * * * *", "-5", "negative"),
        ("1.5 * * * *", "1.5", "not a number"),
        ("*/x * * * *", "*/x", "a step is a whole number"),
        ("*5 * * * *", "*5", "not a number"),
        ("mon * * * *", "mon", "'mon' is not a minute"),
        ("0 0 * mon *", "mon", "'mon' is not a month"),
        ("5 0 * * 1;ls", "1;ls", "not a number"),
        ("@reboot", None, "when the scheduler starts"),
        ("@noon", None, "no such name"),
        ("0 0 30 2 *", "30 2 *", "would never fire"),
        ("0 0 31 4,6 *", "31 4,6 *", "would never fire"),
        ("0 0 31 2 */2", "31 2 */2", "would never fire"),
        ("* * * * *\n", "\n", "control character"),
        ("* *\x00 * * *", "\x00", "control character"),
        ("\N{ARABIC-INDIC DIGIT FIVE} * * * *", "\N{ARABIC-INDIC DIGIT FIVE}", "not ASCII"),
        ("0\N{NO-BREAK SPACE}9 * * *", "\N{NO-BREAK SPACE}", "not ASCII"),
        (" ".join(["*"] * 101), None, "201 characters, and 200"),
    ],
)
def test_what_is_refused_is_refused_with_a_hint(expression, part, hint):
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(expression)
    assert caught.value.text == expression or caught.value.text == " ".join(expression.split())
    assert caught.value.part == part
    assert caught.value.accepted
    assert hint in str(caught.value)


@pytest.mark.parametrize("seed", range(4))
def test_any_text_of_cron_characters_is_read_or_refused_with_a_schedule_error(seed):
    chance = random.Random(seed)
    for _ in range(500):
        fields = ["".join(chance.choices("0123456789*,-/#L lWsunjan?", k=chance.randint(1, 4))) for _ in range(5)]
        try:
            schedule = parse_schedule(" ".join(fields))
        except ScheduleError:
            continue
        assert schedule.next_instant(0) is not None
        assert parse_schedule(schedule.text) == schedule


def test_the_second_pass_is_not_jumped_over_when_the_next_date_is_far():
    schedule = parse_schedule("*/30 1 2 11 *", "America/New_York")
    found = fires(schedule, at("2025-11-02T05:00Z") - 1, 5)
    assert found[:4] == [at(f"2025-11-02T{clock}Z") for clock in ("05:00", "05:30", "06:00", "06:30")]
    assert found[4] == at("2026-11-02T06:00Z")


# The ends of the search. --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", ["* 2 * 3 0L", "* 2 8-14 3 */7", "*/5 2 29 3 */7", "0 0 29 2 */7"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia"])
def test_the_search_is_bounded_where_every_time_falls_into_a_gap(expression, zone):
    schedule = parse_schedule(expression, zone)
    began = time.process_time()
    schedule.next_instant(utc("2026-01-01"))
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York", "Africa/Casablanca"])
def test_the_last_year_ends_in_none(zone):
    schedule = parse_schedule("0 0 * * *", zone)
    found = fires(schedule, utc("9999-12-20"), 30)
    assert 8 <= len(found) <= 11
    assert max(found) <= LAST
    for late in (LAST, LAST + 1, LAST + 10**15):
        assert schedule.next_instant(late) is None


def test_a_weeks_long_span_of_a_minutely_job_is_counted_without_walking_it():
    schedule = parse_schedule("* * * * *", "Europe/Berlin")
    start = utc("2025-03-20")
    began = time.process_time()
    assert schedule.span(start, start + 14 * 86_400 * SECOND) == (start + 14 * 86_400 * SECOND, 14 * 1440 + 1)
    assert time.process_time() - began < 0.1
