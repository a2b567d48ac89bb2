"""From text to a schedule: intervals, delays, times; what is refused, and what the refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.instants import FIRST, LAST, SECOND, aware, instant_of
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules import (
    Schedule,
    fires,
    parse_duration,
    parse_schedule,
    stored_schedule,
    to_instant,
)

NOW = instant_of(datetime(2029, 6, 1, 12, tzinfo=UTC))
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
UNITS = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY}
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])

properties = settings(derandomize=True, max_examples=100)


def said(text: str, zone: str = "Europe/Berlin", **options) -> Schedule:
    return parse_schedule(text, zone, now=NOW, **options)


# Intervals. ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical", "period"),
    [
        ("every 24 hours", "every 24 hours", DAY),
        ("every 1 hours", "every 1 hour", HOUR),
        ("every minute", "every 1 minute", MINUTE),
        (" EVERY\t 05   Seconds ", "every 5 seconds", 5 * SECOND),
        ("every 2 week", "every 2 weeks", 14 * DAY),
        ("every 3days", "every 3 days", 3 * DAY),
    ],
)
def test_an_interval_counts_from_now_and_its_unit_is_kept(text, canonical, period):
    schedule = said(text)
    assert (schedule.kind, schedule.text) == (ScheduleType.RELATIVE, canonical)
    assert fires(schedule, NOW, 3) == [NOW + period, NOW + 2 * period, NOW + 3 * period]


def test_an_interval_with_a_start_fires_at_the_start_first():
    schedule = said("every 1 hour", start=NOW + DAY)
    assert fires(schedule, NOW, 2) == [NOW + DAY, NOW + DAY + HOUR]
    assert fires(said("every 1 hour", start=NOW - DAY - 1), NOW, 1) == [NOW + HOUR - 1]


def test_a_day_of_an_interval_is_24_hours_through_a_change_of_clocks():
    before = to_instant("2029-03-24 12:00", "Europe/Berlin")
    assert fires(parse_schedule("every 1 day", "Europe/Berlin", now=before), before, 1) == [before + DAY]


def test_an_interval_ends_with_the_calendar():
    assert said("every 1 week").next_instant(LAST) is None
    with pytest.raises(ScheduleError, match="year 9999"):
        said("every 430000 weeks")


@properties
@given(
    number=st.integers(1, 10_000),
    unit=st.sampled_from(sorted(UNITS)),
    word=st.sampled_from(["in", "every"]),
    start=st.none() | st.integers(NOW - 10**15, NOW + 10**15),
    after=st.integers(NOW - 10**16, NOW + 10**16),
    steps=st.integers(0, 20),
)
def test_every_amount_is_read_and_counted_rightly(number, unit, word, start, after, steps):
    schedule = said(f"{word} {number} {unit}", start=start, allow_past=True)
    assert schedule == said(schedule.text, start=start, allow_past=True)
    anchor = NOW if start is None else start
    assert schedule == stored_schedule(schedule.kind, schedule.text, "Europe/Berlin", anchor, start is not None)
    if word == "in":
        instant = anchor + number * UNITS[unit]
        assert schedule.next_instant(after) == (instant if instant > after else None)
        assert schedule.span(instant, instant + steps) == (instant, 1)
        return
    found = fires(schedule, after, steps + 1)
    assert found[0] > after
    assert all(later - earlier == number * UNITS[unit] for earlier, later in pairwise(found))
    assert all((instant - anchor) % (number * UNITS[unit]) == 0 for instant in found)
    assert schedule.span(found[0], found[-1] + steps) == (found[-1], len(found))


# Times. -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical", "utc"),
    [
        ("2030-05-28 15:30:00", "2030-05-28 15:30:00", "2030-05-28T13:30"),
        ("2030-12-25 09:00", "2030-12-25 09:00:00", "2030-12-25T08:00"),
        ("2030-12-25 9:00", "2030-12-25 09:00:00", "2030-12-25T08:00"),
        ("05/28/2030 15:30", "2030-05-28 15:30:00", "2030-05-28T13:30"),
        ("5/8/2030", "2030-05-08 00:00:00", "2030-05-07T22:00"),
        ("2030-05-28", "2030-05-28 00:00:00", "2030-05-27T22:00"),
        ("2030-05-28T15:30", "2030-05-28 15:30:00", "2030-05-28T13:30"),
        ("2030-05-28t15:30:00z", "2030-05-28 15:30:00+00:00", "2030-05-28T15:30"),
        ("2030-05-28T15:30:00+0530", "2030-05-28 15:30:00+05:30", "2030-05-28T10:00"),
        ("2030-05-28 15:30:00 -03", "2030-05-28 15:30:00-03:00", "2030-05-28T18:30"),
        ("2030-05-28 15:30:00-00:00", "2030-05-28 15:30:00+00:00", "2030-05-28T15:30"),
        ("2030-05-28T15:30:00.25", "2030-05-28 15:30:00.250000", "2030-05-28T13:30:00.25"),
        ("2030-05-28T15:30:00.000000", "2030-05-28 15:30:00", "2030-05-28T13:30"),
        ("on 2030-05-28 at 3:30 PM", "2030-05-28 15:30:00", "2030-05-28T13:30"),
        ("5/28/2030 12am", "2030-05-28 00:00:00", "2030-05-27T22:00"),
        ("2030-03-31 02:30", "2030-03-31 02:30:00", "2030-03-31T01:00"),  # in the gap: its end
        ("2030-10-27 02:30", "2030-10-27 02:30:00", "2030-10-27T00:30"),  # twice: the first
    ],
)
def test_a_time_is_read_in_the_zone_unless_it_has_an_offset(text, canonical, utc):
    schedule = said(text)
    instant = instant_of(datetime.fromisoformat(utc).replace(tzinfo=UTC))
    assert (schedule.kind, schedule.text) == (ScheduleType.ABSOLUTE, canonical)
    assert fires(schedule, NOW, 2) == [instant]
    assert schedule.span(instant, LAST) == (instant, 1)
    assert said(canonical) == schedule


def test_a_time_is_past_from_its_own_instant_on():
    text = "2029-06-01 14:00:00"
    with pytest.raises(ScheduleError, match=r"2029-06-01 14:00:00 in Europe/Berlin \(2029-06-01 12:00:00 UTC\).* past"):
        said(text)
    assert said(text, allow_past=True).next_instant(NOW) is None
    assert parse_schedule(text, "Europe/Berlin").next_instant(NOW - 1) == NOW
    assert stored_schedule("absolute", text, "Europe/Berlin", NOW, from_anchor=False).next_instant(NOW - 1) == NOW
    assert parse_schedule(text, "Europe/Berlin", now=aware(NOW - 1)).next_fire(aware(0)) == aware(NOW)


@properties
@given(
    moment=st.datetimes(datetime(1973, 1, 1), datetime(9999, 12, 28)),
    offset=st.none() | st.integers(-1439, 1439),
    zone=ZONES,
)
def test_every_time_of_the_calendar_is_read(moment, offset, zone):
    given_time = moment if offset is None else moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    schedule = parse_schedule(given_time.isoformat(), zone)
    assert parse_schedule(schedule.text, zone) == schedule
    fire = schedule.next_fire(aware(FIRST))
    assert fire is not None
    if offset is not None:
        assert fire == given_time
    else:
        # The same on the wall, but for a gap, whose end is later.
        assert fire.replace(tzinfo=None) == moment or timedelta() < fire.replace(tzinfo=None) - moment <= timedelta(
            hours=1
        )


# Refusals. ----------------------------------------------------------------------------------------------------------

ODD = [None, 5, 1.5, True, b"every 5 minutes", [], object(), datetime(2030, 1, 1)]


@pytest.mark.parametrize("text", ODD, ids=lambda value: type(value).__name__)
def test_what_is_not_text_is_refused_by_its_type(text):
    with pytest.raises(ScheduleError, match=f"not {type(text).__name__}") as caught:
        parse_schedule(text)
    assert caught.value.accepted


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("", None, "empty"),
        (" \t ", None, "empty"),
        ("x" * 10_000, None, "10,000 characters"),
        ("0 9 * * " + "1," * 100_000 + "1", None, "200,009 characters, and 200 is the most"),
        ("every " * 40_000, None, "240,000 characters"),
        ("in", None, "a number and a unit of time are expected"),
        ("every", None, "what comes again is missing"),
        ("in 5", None, "a unit of time is missing"),
        ("in -5 minutes", "-", "negative"),
        ("in 0 seconds", "0 seconds", "1 or more"),
        ("every 0 seconds", "0 seconds", "1 or more"),
        ("every 5 Parsecs", "Parsecs", "not a unit"),
        ("in 10**30 days", "*", "not a unit"),
        (f"in 1{'0' * 30} days", f"1{'0' * 30}", "9999"),
        (f"every 1{'0' * 180} days", f"1{'0' * 180}", "9999"),
        ("in 420000 weeks", None, "year 9999"),
        ("every 1.5 hours", "1.5", "whole"),
        ("every 1,5 hours", "1,5", "whole"),
        ("every 5 minutes please", "please", "not expected"),
        ("every 5 months", "months", "not all of one length"),
        ("in 1 minute 1 hour", "1 hour", "from large to small"),
        ("every \N{ARABIC-INDIC DIGIT FIVE} minutes", "\N{ARABIC-INDIC DIGIT FIVE}", "not ASCII"),
        ("every 5 wee\N{KELVIN SIGN}s", "\N{KELVIN SIGN}", "not ASCII"),
        ("in 5\nminutes", "\n", "control character"),
        ("5 minutes", "5", 'say "in 5 minutes" for once'),
        ("24:00", "24", "without a date"),
        ("42", "42", "no schedule"),
        ("2020-01-01", None, "which is past"),
        ("2030-02-30", "30", "February 2030 has 28 days"),
        ("2030-02-00", "00", "28 days"),
        ("13/45/2030", "13", "the month comes first"),
        ("2030-13-01", "13", "must be 1 to 12"),
        ("0000-01-01", "0000", "year 0"),
        ("2030-05-28 24:00", "24", "must be 0 to 23"),
        ("2030-05-28 12:60", "60", "must be 0 to 59"),
        ("2030-05-28 23:59:60", "60", "must be 0 to 59"),
        ("2030-05-28 15:30 PM", "15", "must be 1 to 12"),
        ("2030-05-28 15", None, "not a date and a time"),
        ("2030-05-28 15:30 Berlin", None, "timezone="),
        ("2030-05-28T15:30:00.1234567", None, "at most 6 digits"),
        ("2030-05-28 15:30+24:00", "+24:00", "less than 24 hours"),
        ("28.05.2030", None, "not a date"),
        ("9999-12-31", None, "year 9999"),
        ("2030-05-28T", None, "not a date"),
        ("2030-05-28+02:00", None, "not a date"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, part, hint):
    with pytest.raises(ScheduleError) as caught:
        said(text)
    assert hint in str(caught.value)
    assert caught.value.part == part
    assert caught.value.accepted
    assert len(str(caught.value)) < 1000


@properties
@given(st.text(max_size=40) | st.text("0123456789 -:/.*,+TZeveryinminutehoursday", max_size=40))
def test_any_text_is_read_or_refused_with_a_schedule_error(text):
    try:
        schedule = said(text)
    except ScheduleError:
        return
    following = schedule.next_instant(NOW)
    assert following is not None
    assert following > NOW


@pytest.mark.parametrize(
    ("text", "kind", "call"),
    [
        ("0 9 * * *", ScheduleType.ABSOLUTE, "create_cron_job or schedule_cron"),
        ("0 9 * *", ScheduleType.ABSOLUTE, "create_cron_job or schedule_cron"),
        ("in 5 minutes", ScheduleType.CRON, "create_relative_job or schedule_relative"),
        ("every 5 minutes", ScheduleType.ABSOLUTE, "create_relative_job or schedule_relative"),
        ("2030-05-28", ScheduleType.RELATIVE, "create_absolute_job or schedule_absolute"),
    ],
)
def test_a_call_that_takes_one_kind_names_the_call_for_another(text, kind, call):
    with pytest.raises(ScheduleError, match=call) as caught:
        said(text, kinds=[kind])
    assert caught.value.accepted
    assert said("2030-05-28", kinds=[ScheduleType.ABSOLUTE]).kind is ScheduleType.ABSOLUTE


# The rest of the room's doors. --------------------------------------------------------------------------------------


def test_without_a_present_nothing_is_past_and_relative_schedules_count_from_1970():
    assert parse_schedule("in 1 minute").next_instant(0) == MINUTE
    assert parse_schedule("2001-01-01").next_instant(0) is not None


def test_fires_is_exclusive_of_its_start_and_inclusive_of_its_end():
    schedule = parse_schedule("every 1 second")
    assert fires(schedule, 0, 10, 2 * SECOND) == [SECOND, 2 * SECOND]
    assert fires(schedule, 0, 0) == []


def test_next_fire_answers_in_the_schedules_zone_and_reads_naive_times_there():
    schedule = parse_schedule("0 9 * * *", "Asia/Tokyo")
    assert str(schedule.next_fire(datetime(2030, 1, 1, 9))) == "2030-01-02 09:00:00+09:00"
    assert str(schedule.next_fire(datetime(2030, 1, 1, tzinfo=UTC))) == "2030-01-02 09:00:00+09:00"
    assert schedule.next_fire(datetime(9999, 12, 31, 23)) is None
    assert schedule.next_fire(datetime(1, 1, 1)) is not None
    assert str(schedule.previous_fire(datetime(2030, 1, 1, 9))) == "2029-12-31 09:00:00+09:00"
    assert schedule.count_fires(datetime(2030, 1, 1, 9), datetime(2030, 1, 3, 9)) == 2
    for ask in (schedule.next_fire, schedule.previous_fire, schedule.describe):
        with pytest.raises(OptionError, match="must be a datetime"):
            ask("2030-01-01")


@properties
@given(
    expression=st.sampled_from(["* * * * *", "*/7 3-5 * * 1", "30 2 * * *", "0 0 L * *", "0 0 29 2 *", "15 1,2 * * 0"]),
    zone=ZONES,
    after=st.integers(NOW - 10**15, NOW + 10**15),
    count=st.integers(1, 40),
    late=st.integers(0, 59 * SECOND),
)
def test_a_span_is_what_walking_finds(expression, zone, after, count, late):
    schedule = stored_schedule(ScheduleType.CRON, expression, zone, 0, False)
    found = fires(schedule, after, count)
    assert found[0] > after
    assert sorted(set(found)) == found
    assert schedule.span(found[0], found[-1] + late) == (found[-1], count)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("phrase", "every blue moon"), ("cron", "every 1 hour"), ("relative", "0 9 * * *"), ("cron", "x")],
)
def test_a_stored_text_that_is_unknown_here_is_a_schedule_error(kind, value):
    with pytest.raises(ScheduleError):
        stored_schedule(kind, value, "UTC", 0, False)


def test_to_instant_takes_text_and_datetimes_naive_or_not():
    expected = instant_of(datetime(2030, 5, 28, 13, 30, tzinfo=UTC))
    for moment in ("2030-05-28 15:30", "2030-05-28T13:30Z", datetime(2030, 5, 28, 15, 30), aware(expected)):
        assert to_instant(moment, "Europe/Berlin") == expected
    for wrong in ("in 5 minutes", "", "0 9 * * *"):
        with pytest.raises(ScheduleError):
            to_instant(wrong, "UTC")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("5 minutes", 300), ("1 hour", 3600), ("0 seconds", 0), (" 2 DAYS ", 172_800), ("5 m", 300), ("1h30m", 5400)),
        *(("1 week, 2 days and 3 seconds", 777_603), ("PT1H30M", 5400), ("p1dt12h", 129_600), ("half an hour", 1800)),
        *(("an hour", 3600), ("two minutes", 120), ("1 hour 0 minutes", 3600)),
    ],
)
def test_a_duration_is_numbers_and_units(text, seconds):
    assert parse_duration(text) == seconds * SECOND


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "minutes",
        "-1 day",
        "1.5 hours",
        "in 5 minutes",
        "5 parsecs",
        "1 hour 1 hour",
        "1 minute 2 hours",
        "P1Y",
        "PT",
        "PT1.5H",
        "1 hour and",
        "\N{ARABIC-INDIC DIGIT FIVE} days",
        None,
        "9" * 99,
    ],
)
def test_another_duration_is_refused(text):
    with pytest.raises(ScheduleError) as caught:
        parse_duration(text)
    assert caught.value.accepted
