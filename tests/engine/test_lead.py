"""The lead follows what claims take."""

from __future__ import annotations

from aurora_scheduler.engine.lead import Lead
from aurora_scheduler.instants import SECOND
from aurora_scheduler.rules import AHEAD


def test_the_lead_follows_what_claims_take_and_is_bounded():
    lead = Lead(0.002)
    assert lead.time == 2_000
    for _ in range(50):
        lead.note(300)
    assert lead.time == 2_000, "no less than it was told"
    for _ in range(50):
        lead.note(6_000)
    assert 11_000 < lead.time <= 12_000, "twice as long as they take"
    lead.note(3_600 * SECOND)
    for _ in range(50):
        lead.note(90_000)
    assert (lead.time, lead.reach) == (AHEAD * 3 // 5, AHEAD)
    lead.note(-3_600 * SECOND)
    for _ in range(1_000):
        lead.note(0)
    assert lead.time == 2_000


def test_where_claims_take_no_time_none_is_made_ahead():
    lead = Lead(0.0)
    for _ in range(100):
        lead.note(0)
    assert lead.time == 0


def test_of_claims_that_mostly_take_little_the_slow_ones_are_what_counts():
    lead = Lead(0.0)
    for number in range(1_000):
        lead.note(10_000 if number % 10 == 0 else 1_000)
    assert lead.time > 8_000
