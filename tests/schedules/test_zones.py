"""Time zones: names, wall times, stretches of one offset, and the machine's own zone."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest
import tzlocal

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import FIRST, LAST, aware, instant_of
from aurora_scheduler.schedules import load_zone, local_zone_name, parse_schedule
from aurora_scheduler.schedules.zones import DAY, instant_of_wall, stretch_at

NAMES = sorted(available_timezones() - {"localtime", "Factory"})


@pytest.mark.parametrize(
    "name",
    [
        *(None, 5, b"UTC", "", " ", "../x", "/etc/passwd", "Europe", "Mars/Olympus", "UTC\0", "zone.tab", "x" * 5000),
        *("Zürich", "\ud800", "right/UTC", "posix/UTC", "localtime", "Europe/../UTC", "CEST"),
    ],
)
def test_what_is_no_zone_is_refused_with_an_example(name):
    with pytest.raises(ScheduleError, match="Europe/Berlin") as caught:
        load_zone(name)
    assert caught.value.text == name
    assert len(str(caught.value)) < 400


def test_a_misspelt_zone_is_told_what_it_may_have_meant():
    with pytest.raises(ScheduleError, match="did you mean 'Europe/Berlin'"):
        parse_schedule("0 9 * * *", "europe/Berln")


def test_a_city_and_an_abbreviation_are_told_what_to_say():
    with pytest.raises(ScheduleError, match="did you mean 'Asia/Tokyo'"):
        load_zone("tokyo")
    with pytest.raises(ScheduleError, match="abbreviations mean different zones"):
        load_zone("EDT")


def test_every_zone_there_is_can_be_loaded_and_searched_from_end_to_end():
    for name in NAMES:
        zone = load_zone(name)
        schedule = parse_schedule("30 2 * * *", name)
        for instant in (FIRST, LAST, *range(0, 2**31 * 10**6, 2000 * DAY)):
            stretch = stretch_at(zone, instant)
            assert stretch.begin <= instant < stretch.end
            offset = aware(instant, zone).utcoffset()
            assert offset is not None
            assert stretch.offset == offset.total_seconds() * 10**6
            following = schedule.next_instant(instant)
            assert following is None or instant < following <= instant + 3 * DAY


@pytest.mark.parametrize(
    ("zone", "wall", "fold", "utc"),
    [
        ("Europe/Berlin", "2025-03-30T02:30", 0, "2025-03-30T01:00"),
        ("Europe/Berlin", "2025-03-30T02:30", 1, "2025-03-30T01:00"),
        ("Europe/Berlin", "2025-10-26T02:30", 0, "2025-10-26T00:30"),
        ("Europe/Berlin", "2025-10-26T02:30", 1, "2025-10-26T01:30"),
        ("Pacific/Apia", "2011-12-30T12:00", 0, "2011-12-30T10:00"),
        ("Australia/Lord_Howe", "2025-10-05T02:15", 0, "2025-10-04T15:30"),
    ],
)
def test_a_wall_time_in_a_gap_is_its_end_and_one_of_two_is_the_first(zone, wall, fold, utc):
    moment = datetime.fromisoformat(wall).replace(fold=fold)
    expected = instant_of(datetime.fromisoformat(utc).replace(tzinfo=UTC))
    assert instant_of_wall(moment, load_zone(zone)) == expected


def test_the_machines_zone_is_an_iana_name(monkeypatch):
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "Asia/Tokyo")
    assert local_zone_name() == "Asia/Tokyo"


@pytest.mark.parametrize("answer", [None, "Nowhere/Land", LookupError("no such zone")])
def test_a_machine_without_a_zone_reads_utc_and_says_so(monkeypatch, caplog, answer):
    def say():
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(tzlocal, "get_localzone_name", say)
    with caplog.at_level(logging.WARNING, "aurora_scheduler"):
        assert local_zone_name() == "UTC"
    assert "read as UTC" in caplog.text
