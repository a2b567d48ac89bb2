"""What the jobs in damaged, full, locked and displaced databases do."""

from __future__ import annotations

import threading

#: The ids of the executions that called back, in order.
calls: list[str] = []
#: Lets `wait` end.
may_end = threading.Event()


def work(text: str = "") -> dict[str, object]:
    """Returns at once."""
    return {"success": True, "message": text}


def note(execution_id: str, size: int = 0) -> dict[str, object]:
    """Notes that it was called, and has something to say that takes room."""
    calls.append(execution_id)
    return {"success": True, "message": "x" * size}


def wait(execution_id: str) -> None:
    """Notes that it was called, and returns when it may."""
    calls.append(execution_id)
    if not may_end.wait(60):
        raise TimeoutError("nobody let it end")
