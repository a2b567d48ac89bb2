"""By how much a firing is claimed ahead of its instant, so that the claim stands when that comes.

When the time has come for one, others that follow soon are claimed with it: to wake everybody concerned for each firing
alone costs more than all the rest.
"""

from __future__ import annotations

from aurora_scheduler.instants import SECOND
from aurora_scheduler.rules import AHEAD

__all__ = ["Lead"]

#: What claims have taken is followed upwards fast, by a quarter with each, and downwards slowly, within so many
#: seconds: most are to stand in time, not half of them, and what holds them up now and then does so again.
_UP, _DOWN = 4, 1.5
#: And so many times as much is reckoned with.
_MARGIN = 2
#: The longest lead, in microseconds: what is claimed with another is so further ahead, and not beyond `rules.AHEAD`.
_MOST = AHEAD * 3 // 5


class Lead:
    """Twice as long as claims have lately taken: at least `least` seconds, and 48 ms at most.

    By a virtual clock claims take no time, and none is made ahead.
    """

    def __init__(self, least: float) -> None:
        self._least = round(least * SECOND)
        self._usual = 0.0
        self._noted = 0.0
        #: In microseconds.
        self.time = self._least

    @property
    def reach(self) -> int:
        """What is due within so many microseconds is claimed together with what is about to be due."""
        return min(self.time * 5 // 3, AHEAD)

    def seconds(self) -> tuple[float, float]:
        """Both in seconds."""
        return self.time / SECOND, self.reach / SECOND

    def note(self, took: int, at: float) -> None:
        """A claim has taken so many microseconds, from when it was decided until it stood.

        `at` is the moment now, in seconds of the monotonic clock.
        """
        since, self._noted = at - self._noted, at
        more = max(0, min(took, AHEAD)) - self._usual  # a clock that was set tells anything
        self._usual += more / _UP if more > 0 else more * min(1.0, since / _DOWN)
        self.time = max(self._least, min(round(_MARGIN * self._usual), _MOST))
