"""The plots of `compare`, as SVG: how late who is, and how many firings a second at which size."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["lateness", "throughput"]

#: So that the same numbers make the same file.
mpl.rcParams["svg.hashsalt"] = "aurora"
#: One in so many points is drawn.
_EACH = 6
_PLAIN = {"Date": None}


def lateness(path: Path, title: str, cuts: Mapping[str, Sequence[float]]) -> None:
    """The share of callbacks that had begun so many milliseconds after they were due, of each."""
    figure, axes = _drawn(title, "ms late, at most", "share of the firings")
    for name, values in cuts.items():
        shares = [(place + 1) / (len(values) + 1) for place in range(len(values))]
        axes.plot(values[::_EACH], shares[::_EACH], label=name)
    axes.set_xscale("log")
    axes.legend(loc="lower right")
    figure.savefig(path, metadata=_PLAIN)


def throughput(path: Path, title: str, rates: Mapping[str, Mapping[int, Sequence[float]]]) -> None:
    """Firings a second by how many are due at once, of each: the median."""
    figure, axes = _drawn(title, "jobs due at once", "firings a second")
    for name, by_size in rates.items():
        points = [(size, statistics.median(values)) for size, values in sorted(by_size.items()) if values]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()
    figure.savefig(path, metadata=_PLAIN)


def _drawn(title: str, x: str, y: str):  # type: ignore[no-untyped-def]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, which="both", alpha=0.3)
    return figure, axes
