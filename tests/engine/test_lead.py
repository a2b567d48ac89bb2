"""The lead follows what claims take."""

from __future__ import annotations

from aurora_scheduler.engine.lead import Lead
from aurora_scheduler.instants import SECOND
from aurora_scheduler.rules import AHEAD


class Claims:
    """Claims that a lead hears of, so many in a second."""

    def __init__(self, lead: Lead, a_second: int = 100) -> None:
        self.lead = lead
        self.now = 0.0
        self._apart = 1 / a_second

    def take(self, *took: int) -> None:
        for each in took:
            self.now += self._apart
            self.lead.note(each, self.now)


def test_the_lead_follows_what_claims_take_and_is_bounded():
    lead = Lead(0.002)
    claims = Claims(lead)
    assert lead.time == 2_000
    claims.take(*[300] * 50)
    assert lead.time == 2_000, "no less than it was told"
    claims.take(*[6_000] * 50)
    assert 11_000 < lead.time <= 12_000, "twice as long as they take"
    claims.take(3_600 * SECOND, *[90_000] * 50)
    assert (lead.time, lead.reach) == (AHEAD * 3 // 5, AHEAD)
    claims.take(-3_600 * SECOND, *[0] * 2_000)
    assert lead.time == 2_000


def test_where_claims_take_no_time_none_is_made_ahead():
    lead = Lead(0.0)
    Claims(lead).take(*[0] * 100)
    assert lead.time == 0


def test_of_claims_that_mostly_take_little_the_slow_ones_are_what_counts():
    lead = Lead(0.0)
    claims = Claims(lead)
    for _ in range(100):
        claims.take(10_000, *[1_000] * 9)
    assert lead.time > 8_000


def test_what_held_up_some_of_thousands_a_moment_ago_is_still_reckoned_with():
    lead = Lead(0.002)
    claims = Claims(lead, a_second=3_000)
    claims.take(*[20_000] * 60, *[3_000] * 750)
    assert lead.time > 30_000, "a quarter of a second later"
    claims.take(*[3_000] * 30_000)
    assert lead.time < 7_000, "and ten seconds later not any more"


def test_after_a_long_pause_the_next_claim_tells():
    lead = Lead(0.002)
    claims = Claims(lead)
    claims.take(*[20_000] * 60)
    claims.now += 3600
    claims.take(3_000)
    assert lead.time == 6_000
