"""Your jobs in virtual time: the real scheduler, its rules and its store, on a clock that you move.

`simulated` gives a scheduler on which a year passes in seconds; `plugin` is the same as a pytest fixture.
"""

from aurora_scheduler.testing.simulation import Simulation, simulated

__all__ = ["Simulation", "simulated"]
