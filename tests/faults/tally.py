"""What all lives of a run came to, added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from faults.checker import INVARIANTS, Report
from faults.killing import Life

__all__ = ["Tally"]


@dataclass
class Tally:
    """Sums over lives."""

    lives: int = 0
    named: int = 0
    random: int = 0
    executions: int = 0
    firings: int = 0
    effects: int = 0
    lost: int = 0
    recovered_within: float = 0.0
    started_within: float = 0.0
    violations: Counter[str] = field(default_factory=Counter)

    def add(self, life: Life, report: Report) -> None:
        """Count one life."""
        self.lives += 1
        self.named += life.named_kills
        self.random += life.random_kills
        self.executions += report.executions
        self.firings += report.firings
        self.effects += report.effects
        self.lost += report.lost
        self.recovered_within = max(self.recovered_within, report.recovered_within)
        self.started_within = max(self.started_within, report.started_within)
        self.violations.update(violation.invariant for violation in report.violations)

    def table(self) -> list[str]:
        """The lines to print."""
        told = {
            "lives of a database": self.lives,
            "kills at named points": self.named,
            "kills at random instants": self.random,
            "firings": self.firings,
            "executions": self.executions,
            "of these lost": self.lost,
            "effects": self.effects,
            "longest recovery": f"{self.recovered_within:.3f} s",
            "latest start": f"{self.started_within:.3f} s",
        }
        found = "  ".join(f"{invariant} {self.violations[invariant]}" for invariant in INVARIANTS)
        return [f"{name:26}{value:>12}" for name, value in told.items()] + [f"violations                {found}"]
