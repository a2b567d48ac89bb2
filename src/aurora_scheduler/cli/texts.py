"""Values as a person reads them on one line. Plain ASCII, whatever the terminal; what is not there is "-"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

__all__ = ["NOTHING", "ahead", "counted", "moment", "outcome", "shortened", "size", "span"]

NOTHING = "-"


def shortened(text: str, most: int = 100) -> str:
    """The text, or its beginning.

    >>> shortened("abcdefgh", most=6)
    'abc...'
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def moment(when: datetime | None) -> str:
    """An instant, to the second, with its offset.

    >>> from datetime import UTC
    >>> moment(datetime(2030, 5, 28, 15, tzinfo=UTC))
    '2030-05-28 15:00:00+00:00'
    """
    return NOTHING if when is None else when.isoformat(" ", "seconds")


def span(length: timedelta | None) -> str:
    """A duration, as exactly as anybody wants to know.

    >>> [span(timedelta(seconds=seconds)) for seconds in (0.0031, 2.75, 61, 7_500, 200_000)]
    ['3 ms', '2.8 s', '1 min 1 s', '2 h 5 min', '2 d 7 h']
    """
    if length is None:
        return NOTHING
    if length < timedelta(0):
        return f"-{span(-length)}"
    if length < timedelta(seconds=1):
        return f"{length // timedelta(milliseconds=1)} ms"
    if length < timedelta(minutes=1):
        return f"{length.total_seconds():.1f} s"
    minutes, seconds = divmod(length // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(place for place, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def ahead(micros: int) -> str:
    """How far ahead something is, as a person looks at it.

    >>> [ahead(round(seconds * 1e6)) for seconds in (-3, 0.4, 12.3, 250, 7_500)]
    ['now', 'now', 'in 12 s', 'in 4 min', 'in 2 h 5 min']
    """
    seconds = micros // 1_000_000
    if seconds < 1:
        return "now"
    return f"in {seconds} s" if seconds < 60 else f"in {span(timedelta(minutes=seconds // 60))}"


def outcome(result: Mapping[str, Any] | None) -> str:
    """What a callback said, from the stored mapping of its result.

    >>> outcome({"success": True, "message": "12 files"}), outcome({"success": False, "error": "no such host"})
    ('12 files', 'no such host')
    """
    if result is None:
        return NOTHING
    words = ("message", "error") if result.get("success", True) else ("error", "message")
    said = next((str(result[word]) for word in words if result.get(word)), "")
    return said or ("ok" if result.get("success", True) else "failed")


def size(octets: int) -> str:
    """A number of bytes.

    >>> size(512), size(3_400_000)
    ('512 bytes', '3.4 MB')
    """
    if octets < 1_000:
        return f"{octets} bytes"
    return f"{octets / 1_000:.1f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:,.1f} MB"


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "job"), counted(2_000, "file")
    ('1 job', '2,000 files')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
