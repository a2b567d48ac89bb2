"""A cron daemon that looks at the clock every minute agrees: a sample; `nox -s oracle` goes through every zone."""

from __future__ import annotations

import pytest

from aurora_scheduler.schedules import zones
from support.differential import disagreements

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
    cases, wrong = disagreements("suite", zone, windows=3)
    assert cases == 18
    assert wrong == []


@pytest.mark.parametrize(("zone", "limit"), [("America/New_York", 0), ("Antarctica/Casey", 10**18)])
def test_the_comparison_notices_a_wrong_rule(zone, limit, monkeypatch):
    """No jump is daylight saving, or every one is: both are found out."""
    monkeypatch.setattr(zones, "_CORRECTION", limit)
    zones._stretches.cache_clear()
    try:
        assert disagreements("suite", zone, windows=8)[1]
    finally:
        zones._stretches.cache_clear()
