"""Python's garbage collector, held for a moment while thousands of tasks are made, or thousands of jobs come due.

Each full collection looks at all objects there are, and many objects that come into being are what sets it off: with
ten thousand tasks that is a sixth of the time, with thirty thousand a quarter. What is made then dies without it.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["collector_held"]


@contextmanager
def collector_held() -> Generator[None]:
    """Within it nothing is collected, in the whole process; so it must be short. Where it was off, it stays off."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
