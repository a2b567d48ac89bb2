"""What the jobs in damaged and displaced databases do."""

from __future__ import annotations


def work(text: str = "") -> dict[str, object]:
    """Returns at once."""
    return {"success": True, "message": text}
