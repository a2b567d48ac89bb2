"""Phrases: what each means, its canonical text, what is refused and what is offered instead."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import SECOND, aware, instant_of
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules import (
    Schedule,
    fires,
    parse_schedule,
    parse_time_of_day,
    stored_schedule,
    zone_said,
)

#: Friday 1 June 2029, 14:00 in Berlin.
NOW = instant_of(datetime(2029, 6, 1, 12, tzinfo=UTC))
BERLIN = "Europe/Berlin"

properties = settings(derandomize=True, max_examples=200)


def said(text: str, zone: str = BERLIN, **options) -> Schedule:
    return parse_schedule(text, zone, now=NOW, **options)


def walls(schedule: Schedule, count: int = 2) -> list[str]:
    return [f"{aware(instant, schedule.zone):%a %Y-%m-%d %H:%M:%S}" for instant in fires(schedule, NOW, count)]


@pytest.mark.parametrize(
    ("text", "canonical", "fire"),
    [
        ("every day at 9am", "every day at 09:00", ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"]),
        ("Every DAY  at 12 pm", "every day at 12:00", ["Sat 2029-06-02 12:00:00", "Sun 2029-06-03 12:00:00"]),
        ("every day at midnight", "every day at 00:00", ["Sat 2029-06-02 00:00:00", "Sun 2029-06-03 00:00:00"]),
        ("at 9am every day", "every day at 09:00", ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"]),
        ("every day 9:30 a.m.", "every day at 09:30", ["Sat 2029-06-02 09:30:00", "Sun 2029-06-03 09:30:00"]),
        (
            "every day at 5pm, noon and 09:00:30",
            "every day at 09:00:30, 12:00 and 17:00",
            ["Fri 2029-06-01 17:00:00", "Sat 2029-06-02 09:00:30"],
        ),
        ("every weekday at 09:00", "every weekday at 09:00", ["Mon 2029-06-04 09:00:00", "Tue 2029-06-05 09:00:00"]),
        (
            "every monday to friday at 9am",
            "every weekday at 09:00",
            ["Mon 2029-06-04 09:00:00", "Tue 2029-06-05 09:00:00"],
        ),
        ("weekdays, at 9am", "every weekday at 09:00", ["Mon 2029-06-04 09:00:00", "Tue 2029-06-05 09:00:00"]),
        (
            "every week on fri - sun at 9am",
            "every friday, saturday and sunday at 09:00",
            ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"],
        ),
        (
            "the first monday of every month at 9am",
            "every first monday of the month at 09:00",
            ["Mon 2029-06-04 09:00:00", "Mon 2029-07-02 09:00:00"],
        ),
        (
            "every december 25th at 09:00",
            "every year on december 25 at 09:00",
            ["Tue 2029-12-25 09:00:00", "Wed 2030-12-25 09:00:00"],
        ),
        (
            "every 25 december at 09:00",
            "every year on december 25 at 09:00",
            ["Tue 2029-12-25 09:00:00", "Wed 2030-12-25 09:00:00"],
        ),
        ("every hour on the hour", "every hour at :00", ["Fri 2029-06-01 15:00:00", "Fri 2029-06-01 16:00:00"]),
        ("every day at 9am UTC", "every day at 09:00 in UTC", ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"]),
        (
            "every day at 9am in America/New York",
            "every day at 09:00 in America/New_York",
            ["Fri 2029-06-01 09:00:00", "Sat 2029-06-02 09:00:00"],
        ),
        ("every weekend at 09:00", "every weekend at 09:00", ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"]),
        ("every monday at 8am", "every monday at 08:00", ["Mon 2029-06-04 08:00:00", "Mon 2029-06-11 08:00:00"]),
        ("on mondays at 8am", "every monday at 08:00", ["Mon 2029-06-04 08:00:00", "Mon 2029-06-11 08:00:00"]),
        (
            "every thu, monday at 8:30",
            "every monday and thursday at 08:30",
            ["Mon 2029-06-04 08:30:00", "Thu 2029-06-07 08:30:00"],
        ),
        (
            "every sat and sunday at 10:00",
            "every weekend at 10:00",
            ["Sat 2029-06-02 10:00:00", "Sun 2029-06-03 10:00:00"],
        ),
        (
            "every month on the 1st at 00:00",
            "every month on the 1st at 00:00",
            ["Sun 2029-07-01 00:00:00", "Wed 2029-08-01 00:00:00"],
        ),
        (
            "every month on the 31st at noon",
            "every month on the 31st at 12:00",
            ["Tue 2029-07-31 12:00:00", "Fri 2029-08-31 12:00:00"],
        ),
        (
            "every month on the last day at 18:00",
            "every month on the last day at 18:00",
            ["Sat 2029-06-30 18:00:00", "Tue 2029-07-31 18:00:00"],
        ),
        (
            "every month on the last, 15 and the 1st at 18:00",
            "every month on the 1st, 15th and last day at 18:00",
            ["Fri 2029-06-01 18:00:00", "Fri 2029-06-15 18:00:00"],
        ),
        (
            "every last day of the month at 18:00",
            "every month on the last day at 18:00",
            ["Sat 2029-06-30 18:00:00", "Tue 2029-07-31 18:00:00"],
        ),
        (
            "every first monday of the month at 9am",
            "every first monday of the month at 09:00",
            ["Mon 2029-06-04 09:00:00", "Mon 2029-07-02 09:00:00"],
        ),
        (
            "every month on the 4th and second tuesday at 9am",
            "every second and fourth tuesday of the month at 09:00",
            ["Tue 2029-06-12 09:00:00", "Tue 2029-06-26 09:00:00"],
        ),
        (
            "every last friday of every month at 17:00",
            "every last friday of the month at 17:00",
            ["Fri 2029-06-29 17:00:00", "Fri 2029-07-27 17:00:00"],
        ),
        (
            "every year on december 25 at 09:00",
            "every year on december 25 at 09:00",
            ["Tue 2029-12-25 09:00:00", "Wed 2030-12-25 09:00:00"],
        ),
        (
            "every year on the 29th of feb at 09:00",
            "every year on february 29 at 09:00",
            ["Sun 2032-02-29 09:00:00", "Fri 2036-02-29 09:00:00"],
        ),
        ("every hour at :15", "every hour at :15", ["Fri 2029-06-01 14:15:00", "Fri 2029-06-01 15:15:00"]),
        (
            "every hour at :45 and :15 between 9am and 3pm on weekends",
            "every hour at :15 and :45 between 09:00 and 15:00 on weekends",
            ["Sat 2029-06-02 09:15:00", "Sat 2029-06-02 09:45:00"],
        ),
        (
            "every 15 minutes between 09:00 and 17:00 on weekdays",
            "every 15 minutes between 09:00 and 17:00 on weekdays",
            ["Fri 2029-06-01 14:15:00", "Fri 2029-06-01 14:30:00"],
        ),
        (
            "every 15 minutes on weekdays between 9am and 5pm",
            "every 15 minutes between 09:00 and 17:00 on weekdays",
            ["Fri 2029-06-01 14:15:00", "Fri 2029-06-01 14:30:00"],
        ),
        (
            "every 25 minutes from 14:10 to 15:00",
            "every 25 minutes between 14:10 and 15:00",
            ["Fri 2029-06-01 14:10:00", "Fri 2029-06-01 14:35:00"],
        ),
        (
            "every hour between 22:30 and 1am",
            "every hour between 22:30 and 01:00",
            ["Fri 2029-06-01 22:30:00", "Fri 2029-06-01 23:30:00"],
        ),
        ("every 90m on mondays", "every 90 minutes on monday", ["Mon 2029-06-04 00:00:00", "Mon 2029-06-04 01:30:00"]),
        (
            "every weekday at 9am in asia/TOKYO",
            "every weekday at 09:00 in Asia/Tokyo",
            ["Mon 2029-06-04 09:00:00", "Tue 2029-06-05 09:00:00"],
        ),
        (
            "every day at 9am in UTC",
            "every day at 09:00 in UTC",
            ["Sat 2029-06-02 09:00:00", "Sun 2029-06-03 09:00:00"],
        ),
    ],
)
def test_a_phrase_has_one_meaning_and_one_canonical_text(text, canonical, fire):
    schedule = said(text)
    assert (schedule.kind, schedule.text) == (ScheduleType.PHRASE, canonical)
    assert walls(schedule) == fire
    assert said(canonical) == schedule
    assert stored_schedule("phrase", canonical, BERLIN, NOW, from_anchor=False) == schedule


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("today at 3pm", "2029-06-01 15:00:00"),
        ("tomorrow at 3pm", "2029-06-02 15:00:00"),
        ("tomorrow noon", "2029-06-02 12:00:00"),
        ("at 15:00 tomorrow", "2029-06-02 15:00:00"),
        ("at 18:00", "2029-06-01 18:00:00"),
        ("at 14:00", "2029-06-02 14:00:00"),
        ("at 13:59:59", "2029-06-02 13:59:59"),
        ("on friday at 17:30", "2029-06-01 17:30:00"),
        ("on friday at 14:00", "2029-06-08 14:00:00"),
        ("this friday at 17:30", "2029-06-01 17:30:00"),
        ("next friday at 17:30", "2029-06-08 17:30:00"),
        ("next monday at 10am", "2029-06-04 10:00:00"),
        ("on december 25 at 9am", "2029-12-25 09:00:00"),
        ("on 25th december at 9am", "2029-12-25 09:00:00"),
        ("on may 28 at 9am", "2030-05-28 09:00:00"),
        ("on june 1 at 13:00", "2030-06-01 13:00:00"),
        ("june 5 2030 9am", "2030-06-05 09:00:00"),
        ("5 June 2030 09:00", "2030-06-05 09:00:00"),
        ("on feb 29 at 9am", "2032-02-29 09:00:00"),
        ("on december 25, 2031 at 9am", "2031-12-25 09:00:00"),
        ("tomorrow at 9am in Pacific/Kiritimati", "2029-06-03 09:00:00 in Pacific/Kiritimati"),
    ],
)
def test_a_single_time_seen_from_now_is_kept_as_its_date(text, date):
    schedule = said(text)
    assert (schedule.kind, schedule.text) == (ScheduleType.ABSOLUTE, date)
    assert schedule == parse_schedule(date, BERLIN)
    assert len(fires(schedule, NOW, 2)) == 1


@pytest.mark.parametrize("text", ["today at 1pm", "on june 1 2029 at 1pm", "today at 14:00"])
def test_a_single_time_that_is_past_is_refused(text):
    with pytest.raises(ScheduleError, match="which is past"):
        said(text)
    assert said(text, allow_past=True).next_instant(NOW) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("in 1 hour 30 minutes", "in 1 hour 30 minutes"),
        ("in 1h30m", "in 1 hour 30 minutes"),
        ("in an hour", "in 1 hour"),
        ("every half hour", "every 30 minutes"),
        ("in half an hour", "in 30 minutes"),
        ("in PT90S", "in 90 seconds"),
        ("every 90 seconds", "every 90 seconds"),
        ("every 2 weeks", "every 2 weeks"),
        ("every two weeks", "every 2 weeks"),
        ("every PT15M", "every 15 minutes"),
        ("every 1 day and 12 hours", "every 1 day 12 hours"),
        ("every day", "every 1 day"),
        ("in 30 minutes in europe/berlin", "in 30 minutes in Europe/Berlin"),
    ],
)
def test_amounts_of_time_are_relative(text, canonical):
    schedule = said(text)
    assert (schedule.kind, schedule.text) == (ScheduleType.RELATIVE, canonical)
    assert said(canonical) == schedule


# The same firings as a cron expression, in every kind of zone. -----------------------------------------------------


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo"]
)
@pytest.mark.parametrize(
    ("phrase", "cron"),
    [
        ("every day at 02:30", "30 2 * * *"),
        ("every day at 00:30 and 01:30", "30 0,1 * * *"),
        ("every sunday at 02:00", "0 2 * * 0"),
        ("every monday, tuesday and friday at midnight", "0 0 * * 1,2,5"),
        ("every weekday at 23:30", "30 23 * * 1-5"),
        ("every month on the 1st and 15th at 00:00", "0 0 1,15 * *"),
        ("every month on the last day at 02:15", "15 2 L * *"),
        ("every last sunday of the month at 02:30", "30 2 * * 0L"),
        ("every first and third sunday of the month at 02:30", "30 2 * * 0#1,0#3"),
        ("every year on march 31 at 02:30", "30 2 31 3 *"),
        ("every hour at :30", "30 * * * *"),
        ("every 15 minutes between 01:00 and 03:45", "*/15 1-3 * * *"),
        ("every 20 minutes between 00:00 and 04:40 on weekends", "*/20 0-4 * * 6,0"),
    ],
)
def test_a_phrase_and_its_cron_expression_fire_alike(phrase, cron, zone):
    start = instant_of(datetime(1999, 1, 1, tzinfo=UTC))
    count = 700
    assert fires(parse_schedule(phrase, zone), start, count) == fires(parse_schedule(cron, zone), start, count)


# Any phrase of the grammar. ----------------------------------------------------------------------------------------

weekday = st.sampled_from(["monday", "Tue", "WED", "thursday", "fri", "Sat", "sunday", "tuesdays"])
month_day = st.sampled_from([*(f"the {n}th" for n in range(4, 21)), "the 1st", "2nd", "31", "the last day", "the last"])
clock = st.one_of(
    st.sampled_from(["noon", "midnight", "9am", "12 PM", "5:45 p.m.", "23:59:59"]),
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
)


def lists(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joiner = st.sampled_from([" and ", ", ", " , and ", ","])
    return st.builds(lambda items, by: by.join(items), st.lists(item, min_size=1, max_size=4), joiner)


nth = lists(st.sampled_from(["first", "second", "third", "fourth", "fifth", "last", "2nd"]))
days = st.one_of(
    st.sampled_from(["day", "weekday", "weekend", "year on dec 25", "year on the 1st of may", "last day of the month"]),
    lists(weekday),
    st.builds("month on {}".format, lists(month_day)),
    st.builds("{} {} of the month".format, nth, weekday),
)
window = st.builds(" between {} and {}".format, clock, clock) | st.just("")
amount = st.sampled_from(["15 minutes", "hour", "90m", "7 seconds", "PT10M", "2 hours 30 minutes", "an hour"])
phrases = st.one_of(
    st.builds("every {} at {}".format, days, lists(clock)),
    st.builds("every {}{} on {}".format, amount, window, lists(weekday) | st.sampled_from(["weekdays", "weekends"])),
    st.builds("every hour at :{:02}{}".format, st.integers(0, 59), window),
)
zones = st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"])


def read_or_refused(text: str, zone: str) -> Schedule | ScheduleError:
    try:
        return said(text, zone)
    except ScheduleError as error:
        return error


@properties
@given(phrases, zones, st.integers(0, 2**31 * SECOND), st.booleans(), st.sampled_from(["", " in Asia/Tokyo"]))
def test_any_phrase_has_a_canonical_text_that_says_the_same(text, zone, after, upper, suffix):
    schedule = read_or_refused((text.upper() if upper else text.replace(" ", "  ")) + suffix, zone)
    if isinstance(schedule, ScheduleError):
        # A window in which nothing lies, over midnight with days, or of no length.
        assert "between" in text, schedule
        return
    assert schedule.kind is ScheduleType.PHRASE
    again = said(schedule.text, zone)
    assert again == schedule
    assert again.text == schedule.text
    assert again == stored_schedule("phrase", schedule.text, zone, NOW, from_anchor=False)
    without_zone = schedule.text.removesuffix(f" in {schedule.zone.key}")
    assert fires(said(without_zone, schedule.zone.key), NOW, 3) == fires(schedule, NOW, 3)
    assert (zone_said(schedule.text) is None) == (without_zone == schedule.text)
    following = schedule.next_instant(after)
    assert following is not None
    assert following > after
    assert schedule.previous_instant(following + 1) == following
    assert schedule.count(after, following) == 1
    assert schedule.describe().isascii()


# Refusals. ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "part", "hint", "nearest"),
    [
        ("every mondai at 9am", "mondai", "not a day", "every monday at 09:00"),
        ("evry monday at 9am", "evry", "no schedule", "every monday at 09:00"),
        ("every monday at 9", "9", "say 09:00 or 9am", "every monday at 09:00"),
        ("every monday at 17", "17", "say 17:00", "every monday at 17:00"),
        ("every monday", None, "a time of the day is missing", "every monday at 09:00"),
        ("every month", None, "which day of the month is missing", "every month on the 1st at 09:00"),
        ("every year", None, "which day of the year is missing", "every year on december 25 at 09:00"),
        ("every week on", None, "a day of the week is missing", None),
        ("every week at 9am", "at", "which day of the week is missing", "every monday at 09:00"),
        ("every second tuesday at 9am", "at", "of the month", "every second tuesday of the month at 09:00"),
        ("every 20th monday of the month at 9am", "20th monday", "no month has a 20th Monday", None),
        ("every month on the 32nd at 9am", "32nd", "1 to 31", "every month on the 31st at 09:00"),
        ("every year on february 30 at 9am", "30", "1 to 29", "every year on february 29 at 09:00"),
        ("every year on 31 june at 9am", "31", "1 to 30", "every year on june 30 at 09:00"),
        ("every day at 25:00", "25:00", "0 to 23", "every day at 23:00"),
        ("every day at 24:00", "24:00", "0 to 23", "every day at 00:00"),
        ("every day at 9:60", "9:60", "0 to 59", "every day at 09:59"),
        ("every day at 13pm", "13pm", "1 to 12", None),
        ("every day at 0am", "0am", "1 to 12", None),
        ("every day at 9:5", "9:5", "like 09:00", "every day at 09:00"),
        ("every 5 minuts", "minuts", "not a unit of time", "every 5 minutes"),
        ("every 2 days at 9am", "2 days", "days by name", "every day at 09:00"),
        ("every other day", "other", '"every 2 days"', "every 2 days"),
        ("every 15 minutes at :15", "15 minutes", "go with every hour", "every hour at :15"),
        ("every hour at 15", "15", "like :15", "every hour at :15"),
        ("every hour at :75", ":75", ":00 to :59", "every hour at :15"),
        ("every hour between 9am and 9am", "9am and 9am", "two different times", None),
        ("every hour between 9am", None, '"and" and a time', "every hour between 09:00 and 17:00"),
        ("every hour at :30 between 9:00 and 9:15", None, "no such time", None),
        ("every hour between 22:00 and 02:00 on monday", None, "without days", None),
        ("every monday at 9am please", "please", "not expected", "every monday at 09:00"),
        ("every day at 9am in Berlin", "Berlin", "Europe/Berlin", "every day at 09:00 in Europe/Berlin"),
        ("every day at 9am in Europe/Berln", "Europe/Berln", "no time zone", "every day at 09:00 in Europe/Berlin"),
        ("every day at 9am in Mars/Olympus", "Mars/Olympus", "no time zone", "every day at 09:00 in UTC"),
        ("2030-05-28 15:00 in Mars/Olympus", "Mars/Olympus", "no time zone", "2030-05-28 15:00 in UTC"),
        ("tomorow at noon", "tomorow", "no schedule", "tomorrow at noon"),
        ("tomorrow", None, "a time of the day is missing", "tomorrow at 09:00"),
        ("next week at 9am", "week", "not a day of the week", "next monday at 9am"),
        ("on friday and monday at 9am", "friday and monday", 'go with "every"', None),
        ("at 9am and 5pm", "and", 'go with "every"', None),
        ("on february 29 2031 at 9am", "february 29 2031", "no such day in that year", None),
        ("monday at 9am", "monday", "no schedule", "every monday at 09:00"),
        ("daily at 9am", "daily", "no schedule", "every day at 09:00"),
        ("09:00", "09", "without a date", "at 09:00"),
        ("every blue moon", "blue", "not a day", None),
        ("do it now", "do", "no schedule", None),
    ],
)
def test_what_is_outside_the_grammar_is_pointed_at_and_the_nearest_phrase_offered(text, part, hint, nearest):
    with pytest.raises(ScheduleError) as caught:
        said(text)
    error = caught.value
    assert hint in str(error)
    if part is not None:
        assert error.part == part
        assert text[error.position :].startswith(part)
    assert error.nearest
    assert said(error.nearest).next_instant(NOW) is not None
    if nearest is not None:
        assert error.nearest == nearest


def test_the_message_ends_with_a_caret_line():
    with pytest.raises(ScheduleError) as caught:
        said("every  mondai at 9am")
    what, *where = str(caught.value).splitlines()
    assert what.startswith("cannot use the schedule 'every mondai at 9am' at 'mondai': ")
    assert what.endswith('the nearest that is accepted: "every monday at 09:00"')
    assert where == ["    every mondai at 9am", "          ^^^^^^"]


def test_a_phrase_whose_canonical_text_could_not_be_read_again_is_refused():
    times = [f"{hour}:{minute:02}" for hour in range(9) for minute in range(0, 60, 14)]
    with pytest.raises(ScheduleError, match=r"canonical text has .* characters, and 200 is the most"):
        said(f"every day at {','.join(times[:34])}")
    assert len(fires(said(f"every day at {','.join(times[:24])}"), NOW, 24)) == 24


def test_a_day_that_does_not_come_any_more_is_refused():
    with pytest.raises(ScheduleError, match="no such day any more"):
        parse_schedule("on feb 29 at 9am", now=datetime(9999, 12, 1, tzinfo=UTC))


WORDS = """
every in at on and , between of the next today tomorrow noon second minutes hour day weekday weekend month year first
last monday fridays december 25 1st 9 09:00 9am pm : 15 half an p pt15m PT in Europe/Berlin a.m. # * / 0 x -
"""


@properties
@given(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=9))
def test_any_row_of_words_is_read_or_refused_with_a_nearest_phrase_that_is_read(row):
    read = read_or_refused(" ".join(row), BERLIN)
    if isinstance(read, Schedule):
        assert read.next_instant(NOW) is not None
        assert said(read.text) == read
    elif read.nearest is not None:
        assert said(read.nearest).next_instant(NOW) is not None


@pytest.mark.parametrize(
    ("text", "minutes"), [("09:00", 540), ("9am", 540), ("12am", 0), ("12 pm", 720), ("NOON", 720), ("5:30 P.M.", 1050)]
)
def test_a_time_of_the_day_is_read(text, minutes):
    assert parse_time_of_day(text) == minutes * 60 * SECOND


@pytest.mark.parametrize("text", ["", "9", "25:00", "9:00:00:00", "13am", "9am please", "noonish", None, 9, "-1:00"])
def test_another_time_of_the_day_is_refused(text):
    with pytest.raises(ScheduleError) as caught:
        parse_time_of_day(text)
    assert caught.value.accepted
