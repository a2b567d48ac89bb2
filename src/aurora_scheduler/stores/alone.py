"""What it means for a store to have one owner: he fires all its jobs, and shares them with nobody."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_scheduler.model import Change, Execution, Job
from aurora_scheduler.ports import Listener, Share, Snapshot

__all__ = ["Alone"]


class Alone:
    """A store with one owner."""

    is_shared = False

    def share(self, *, takes: bool = True) -> Share:
        """The owner has them all."""
        return Share()

    def concerns(self, number: int) -> bool:
        """Whatever changes does."""
        return True

    def listener(self) -> Listener | None:
        """A file says nothing."""
        return None

    def news(self) -> Listener | None:
        """The same."""
        return None

    def read_news(self, text: str) -> tuple[list[Execution], list[Change]]:
        """There are none."""
        return [], []

    def release(self, job_ids: Sequence[str] | None) -> list[str]:
        """None: there is nobody to leave them to."""
        return []

    def refuse(self, job: Job) -> list[str]:
        """None: nobody else could run it."""
        return []

    def accept(self, job: Job) -> None:
        """It was never refused."""

    def held(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """All that there are."""
        return self.snapshots_of(job_ids)

    def snapshots_of(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """The store's own."""
        raise NotImplementedError
