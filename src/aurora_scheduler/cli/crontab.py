"""Crontabs, as cron reads them: which lines are jobs, and what cannot be one here, and why.

The form is that of Debian's cron (`man 5 crontab`), with `CRON_TZ` of cronie's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["CronLine", "NotImported", "read_crontab"]

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_VARIABLE = re.compile(r"""\s*(?P<name>"[^"]*"|'[^']*'|[^\s="']+)\s*=\s*(?P<value>.*?)\s*$""")
_FIELD = re.compile(r"\s*(\S+)")
#: An unescaped percent sign ends the command; what comes after it is what the command reads.
_PERCENT = re.compile(r"(?<!\\)%")


@dataclass(frozen=True, kw_only=True)
class CronLine:
    """A line that is a job.

    `schedule` has five fields; `user` is None in a user's own crontab; `stdin` is what comes after a percent sign.
    """

    number: int
    schedule: str
    user: str | None
    command: str
    stdin: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def shell(self) -> str:
        """What reads the command."""
        return self.variables.get("SHELL", "/bin/sh")

    @property
    def timezone(self) -> str | None:
        """The zone that `CRON_TZ` names."""
        return self.variables.get("CRON_TZ")


@dataclass(frozen=True, kw_only=True)
class NotImported:
    """A line that is meant to be a job, and cannot be one here."""

    number: int
    text: str
    reason: str


def read_crontab(text: str, *, has_user: bool) -> Iterator[CronLine | NotImported]:
    """The jobs of a crontab, in order. With `has_user` the command comes after a user's name, as in `/etc/crontab`.

    >>> [line.schedule for line in read_crontab("@daily true", has_user=False)]
    ['0 0 * * *']
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not _begins_with_time(stripped) and (said := _VARIABLE.match(line)):
            variables[_unquoted(said["name"])] = _unquoted(said["value"])
            continue
        yield _job(number, stripped, has_user, dict(variables))


def _begins_with_time(line: str) -> bool:
    return line[0] in "@*0123456789"


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _job(number: int, line: str, has_user: bool, variables: Mapping[str, str]) -> CronLine | NotImported:
    if line.startswith("@"):
        (nickname,), rest = _taken(line, 1)
        if nickname.lower() == "@reboot":
            reason = "@reboot is no time: have it run where the machine, or the program, starts"
            return NotImported(number=number, text=line, reason=reason)
        if nickname.lower() not in _NICKNAMES:
            reason = f"{nickname} is no time; accepted: {', '.join(_NICKNAMES)}"
            return NotImported(number=number, text=line, reason=reason)
        schedule = _NICKNAMES[nickname.lower()]
    else:
        fields, rest = _taken(line, 5)
        if len(fields) < 5:
            return NotImported(number=number, text=line, reason="it has fewer than the five fields of a time")
        schedule = " ".join(fields)
    user: str | None = None
    if has_user:
        users, rest = _taken(rest, 1)
        user = users[0] if users else None
    command, stdin = _command(rest.strip())
    if not command:
        reason = "there is no command after its time" + (" and user" if has_user else "")
        return NotImported(number=number, text=line, reason=reason)
    return CronLine(number=number, schedule=schedule, user=user, command=command, stdin=stdin, variables=variables)


def _taken(line: str, count: int) -> tuple[list[str], str]:
    """The first `count` words, and the rest."""
    words: list[str] = []
    while len(words) < count and (found := _FIELD.match(line)):
        words.append(found[1])
        line = line[found.end() :]
    return words, line


def _command(text: str) -> tuple[str, str]:
    command, *given = _PERCENT.split(text)
    lines = [each.replace("\\%", "%") for each in given]
    return command.strip().replace("\\%", "%"), "".join(f"{line}\n" for line in lines)
