"""`aurora next`."""

from __future__ import annotations

import json

import pytest


def test_next_shows_the_firings_in_the_zone(aurora):
    result = aurora("next", "0 9 * * 1-5", "--tz", "Europe/Berlin", "--count", 3, "--from", "2030-05-31 12:00")
    assert (result.exit_code, result.stderr) == (0, "at 09:00 on weekdays, in Europe/Berlin\n")
    assert result.stdout.splitlines() == [
        "2030-06-03 09:00:00+02:00  Mon",
        "2030-06-04 09:00:00+02:00  Tue",
        "2030-06-05 09:00:00+02:00  Wed",
    ]


def test_next_shows_five_from_now_on_unless_told_otherwise(aurora):
    assert len(aurora("next", "every 90 minutes").stdout.splitlines()) == 5


def test_next_takes_a_time_with_an_offset(aurora):
    words = ["0 9 * * *", "--tz", "UTC", "--from", "2030-01-01T10:59+02:00", "--count", 1, "--json"]
    assert json.loads(aurora("next", *words).stdout) == ["2030-01-01T09:00:00+00:00"]


def test_next_says_where_the_firings_end(aurora):
    result = aurora("next", "in 5 minutes", "--tz", "UTC", "--from", "2030-01-01")
    assert (result.exit_code, result.stdout) == (0, "2030-01-01 00:05:00+00:00  Tue\n")
    assert result.stderr.splitlines() == [
        "once, on Tuesday 1 January 2030 at 00:05, in UTC",
        "1 firing, and none after",
    ]


def test_next_says_a_month_first_date_in_words(aurora):
    result = aurora("next", "05/06/2030", "--tz", "UTC")
    assert result.stderr.splitlines()[0] == "once, on Monday 6 May 2030 at 00:00, in UTC"


def test_next_marks_the_odd_days(aurora):
    words = ["every day at 2:30", "--tz", "Europe/Berlin", "--from", "2030-03-29 12:00", "--exclude", "2030-03-30"]
    result = aurora("next", *words, "--count", 2)
    assert result.stdout.splitlines() == [
        "2030-03-30 02:30:00+01:00  Sat  excluded: 2030-03-30 is excluded: no firing",
        "2030-03-31 03:00:00+02:00  Sun  gap: 02:30 does not exist on 2030-03-31 in Berlin: fires at 03:00",
        "2030-04-01 02:30:00+02:00  Mon",
    ]
    assert json.loads(aurora("next", *words, "--count", 1, "--json").stdout) == ["2030-03-31T03:00:00+02:00"]


def test_next_keeps_to_a_part_of_the_day(aurora):
    words = [
        "every 6 hours",
        "--tz",
        "UTC",
        "--from",
        "2030-01-01",
        "--between",
        "9am",
        "17:00",
        "--count",
        2,
        "--json",
    ]
    assert json.loads(aurora("next", *words).stdout) == ["2030-01-01T12:00:00+00:00", "2030-01-02T12:00:00+00:00"]
    result = aurora("next", "0 8 * * *", "--between", "9am", "17:00")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "would never fire" in result.stderr


def test_next_points_at_the_word_it_does_not_know(aurora):
    result = aurora("next", "every mondai at 9am")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == ["    every mondai at 9am", "          ^^^^^^"]
    assert 'the nearest that is accepted: "every monday at 09:00"' in result.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["0 0 30 2 *"], "0 0 30 2 *"),
        (["1999-01-01"], "1999-01-01"),
        (["every\n\x1b[31mday"], r"\x1b[31m"),
        (["0 9 * * *", "--tz", "Mars/Olympus"], "Mars/Olympus"),
    ],
)
def test_a_schedule_or_zone_that_is_not_understood_is_an_error_in_one_line(aurora, words, part):
    result = aurora("next", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("aurora: ")
    assert part in result.stderr
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    "words", [[], ["0 9 * * *", "--count", "0"], ["0 9 * * *", "--from", "tomorrow"], ["0 9 * * *", "more"]]
)
def test_wrong_usage_of_next_ends_with_2(aurora, words):
    result = aurora("next", *words)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("start", ["0001-01-01", "9999-12-31 23:59:59.999999", "9999-12-31T23:59-14:00"])
def test_the_ends_of_the_calendar_are_no_traceback(aurora, start):
    result = aurora("next", "0 9 * * *", "--tz", "Pacific/Kiritimati", "--from", start)
    assert result.exception is None or isinstance(result.exception, SystemExit)
