"""The words of a schedule, read one after the other; each knows where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.schedules.base import readable

__all__ = ["Misspoken", "Words", "read_whole"]

T = TypeVar("T")

#: A run of digits, a run of letters ("a.m." is one), or any other single character.
_WORD = re.compile(r"[0-9]+|[ap]\.m\.?(?![a-z])|[a-z]+|[^ ]")


class Misspoken(Exception):
    """What was said is outside the grammar.

    Attributes:
        reason: why, in words.
        start: where the word at fault begins.
        end: where it ends; the same as `start` where a word is missing.
        fitting: what could stand there instead, or before it.
    """

    def __init__(self, reason: str, start: int, end: int, fitting: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start
        self.end = end
        self.fitting = fitting


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


class Words:
    """The words of a text, in lower case, and how far it has been read.

    >>> words = Words("every 5min")
    >>> words.accept("every"), words.peek(), words.peek(1)
    ('every', '5', 'min')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = [_Word(found[0], *found.span()) for found in _WORD.finditer(text.lower())]
        self._next = 0

    def __repr__(self) -> str:
        read = self._here[0]
        return f"<Words {self.text[:read]!r} read, {self.text[read:]!r} to come>"

    @property
    def place(self) -> int:
        """How far it has been read; `go_to` returns there."""
        return self._next

    def go_to(self, place: int) -> None:
        """Read on from an earlier place."""
        self._next = place

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one further ahead; "" at the end."""
        index = self._next + ahead
        return self._words[index].text if index < len(self._words) else ""

    def is_glued(self, ahead: int = 0) -> bool:
        """Whether no blank stands before that word."""
        index = self._next + ahead
        return 0 < index < len(self._words) and self._words[index - 1].end == self._words[index].start

    def take(self) -> str:
        """The next word, which is read with this."""
        word = self.peek()
        self._next += bool(word)
        return word

    def accept(self, *words: str) -> str:
        """Take the next word if it is one of these; "" where it is none of them."""
        return self.take() if self.peek() in words else ""

    def take_chunk(self) -> str:
        """The next words up to a blank, as one."""
        chunk = self.take()
        while self.is_glued():
            chunk += self.take()
        return chunk

    def fail(self, reason: str, *fitting: str, words: int = 1) -> NoReturn:
        """Raise `Misspoken` at the next word or words."""
        start, end = self._here
        if words > 1:
            end = self._words[min(self._next + words, len(self._words)) - 1].end
        raise Misspoken(reason, start, end, fitting)

    def fail_back(self, place: int, reason: str, *fitting: str) -> NoReturn:
        """Raise `Misspoken` at what was read since `place`."""
        start, end = self._words[place].start, self._words[self._next - 1].end
        raise Misspoken(reason, start, end, fitting)

    def expect_end(self) -> None:
        """Nothing more must come."""
        if self.peek():
            self.fail(f"{self.peek()!r} is not expected here")

    @property
    def _here(self) -> tuple[int, int]:
        if self._next < len(self._words):
            word = self._words[self._next]
            return word.start, word.end
        return len(self.text), len(self.text)


def read_whole(text: object, read: Callable[[Words], T], *, accepted: str, what: str) -> T:
    """What `read` makes of a text, all of it. Raises `ScheduleError`, which says what is accepted."""
    words = Words(readable(text, accepted))
    try:
        found = read(words)
        words.expect_end()
    except Misspoken as error:
        part = words.text[error.start : error.end] or None
        raise ScheduleError(text, error.reason, part=part, accepted=accepted, what=what) from None
    return found
