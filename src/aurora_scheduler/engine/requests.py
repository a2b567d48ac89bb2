"""A claim that has not been made yet: it waits for a slot, and then to be written."""

from __future__ import annotations

from aurora_scheduler.engine.slots import Place
from aurora_scheduler.model import Job
from aurora_scheduler.rules import Claim

__all__ = ["Request"]


class Request:
    """A job's task asks that a claim is made, and hears what became of it by being nudged."""

    __slots__ = ("claim", "error", "is_awaited", "is_being_written", "is_made", "job", "place")

    def __init__(self, job: Job, claim: Claim | None) -> None:
        self.job = job
        """The job as it was when this was decided."""
        self.claim = claim
        """None: what is claimed is decided when there is a slot."""
        self.place: Place | None = None
        self.is_being_written = False
        self.is_made = False
        self.is_awaited = False
        """Whether the task waits for nothing else."""
        self.error: BaseException | None = None
        """Why the claim was not made, though there was a slot."""

    def withdraw(self) -> None:
        """It is not wanted any more; what is being written is not stopped."""
        if self.place is not None:
            self.place.leave()
