"""By how much a firing is claimed ahead of its instant, so that the claim stands when that comes."""

from __future__ import annotations

from aurora_scheduler.instants import SECOND
from aurora_scheduler.rules import AHEAD

__all__ = ["Lead"]

#: What claims have taken is followed upwards fast and downwards slowly: most are to stand in time, not half of them.
_UP, _DOWN = 4, 64
#: And so many times as much is reckoned with.
_MARGIN = 2


class Lead:
    """Twice as long as claims have lately taken: at least `least` seconds, and `rules.AHEAD` at most.

    By a virtual clock claims take no time, and none is made ahead.
    """

    def __init__(self, least: float) -> None:
        self._least = round(least * SECOND)
        self._usual = 0
        #: In microseconds.
        self.time = self._least

    def seconds(self) -> float:
        """The same in seconds."""
        return self.time / SECOND

    def note(self, took: int) -> None:
        """A claim has taken so many microseconds, from when it was decided until it stood."""
        more = min(took, AHEAD) - self._usual  # a clock that was set tells anything
        self._usual = max(0, self._usual + (more // _UP if more > 0 else -(-more // _DOWN)))
        self.time = min(max(self._least, _MARGIN * self._usual), AHEAD)
