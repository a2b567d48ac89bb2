"""Every error a user can meet.

One base class, `AuroraError`; each kind is named by its condition, carries what it is about as attributes, and
ends its sentence with advice: what was given, why it was refused, what is accepted instead.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = [
    "ArgumentsError",
    "AuroraError",
    "CallbackError",
    "ForeignTablesError",
    "ForkedProcessError",
    "JobExistsError",
    "JobNotFoundError",
    "NewerSchemaError",
    "NotADatabaseError",
    "OptionError",
    "ScheduleError",
    "SchedulerStopped",
    "StoreCorruptError",
    "StoreError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "UnknownOptionError",
    "printable",
    "shown",
]


def shown(value: object, limit: int = 80) -> str:
    """`value` as an error message shows it: its `repr`, cut so that no input can flood a log.

    >>> shown("every blue moon")
    "'every blue moon'"
    >>> shown("x" * 1000, limit=10)
    "'xxxxxxxxx… (1,000 characters)"
    """
    if isinstance(value, str) and len(value) > 10 * limit:
        text = repr(value[: 10 * limit])[:limit]
        return f"{text}… ({len(value):,} characters)"
    try:
        text = repr(value)
    except (
        BaseException
    ) as exc:  # a hostile __repr__, whatever it raises, must not replace the error that is being told
        text = f"<{type(value).__name__} whose repr raises {type(exc).__name__}>"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def printable(text: str) -> str:
    r"""The text with all that is not to be printed escaped: control characters, line breaks, lone surrogates.

    >>> print(printable("red: \x1b[31m"), printable("two\nlines"), printable("café"))
    red: \x1b[31m two\nlines café
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


#: What comes before the user's name in an address; "postgresql:" alone only where that leaves a name and a password.
_BEFORE_USER = re.compile(r"\s*(?:[\w+.-]+:(?=//)|postgresql:(?=[^:]*:.*@))?/*", re.IGNORECASE | re.DOTALL)
#: Where the value ends nobody knows: it may be quoted, badly, or have what separates others in it.
_TOLD_PASSWORD = re.compile(r"((?:pass|password|passwd|pwd)\s*=).*", re.IGNORECASE | re.DOTALL)
_CLEARLY_A_PATH = re.compile(r"/(?!/)|[.~]|[a-z]:[\\/](?!/)", re.IGNORECASE)


def masked(database: str) -> str:
    """What names a database, without what could be a password, however badly it is written.

    >>> masked("mysql://bob:hun/ter@2@host/jobs")
    'mysql://bob:***@host/jobs'
    >>> masked("host=db user=bob password='hunter 2'")
    'host=db user=bob password=***'
    """
    if _CLEARLY_A_PATH.match(database) and "://" not in database:
        return database
    before = _BEFORE_USER.match(database)
    colon, at = database.find(":", before.end() if before else 0), database.rfind("@")
    hidden = f"{database[: colon + 1]}***{database[at:]}" if 0 <= colon < at else database
    return _TOLD_PASSWORD.sub(r"\1***", hidden)


class AuroraError(Exception):
    """The base of every error that Aurora Scheduler raises on purpose. Can be copied, and sent to another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[AuroraError], args: tuple[Any, ...], attributes: dict[str, Any]) -> AuroraError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ScheduleError(AuroraError, ValueError):
    """A schedule, or the time zone it is read in, that cannot be understood or would never fire.

    Attributes:
        text: the schedule as it was given.
        reason: what is wrong with it.
        part: the part of it that is at fault, or None where that is the whole.
        accepted: what is accepted there, in words, or None.
        position: where the part begins in the text, if that is known; the message then points there.
        nearest: a schedule near to the text that is accepted, or None.
    """

    def __init__(
        self,
        text: object,
        reason: str,
        *,
        part: str | None = None,
        accepted: str | None = None,
        position: int | None = None,
        nearest: str | None = None,
        what: str = "schedule",
    ) -> None:
        self.text = text
        self.reason = reason
        self.part = part
        self.accepted = accepted
        self.position = position
        self.nearest = nearest
        at = f" at {shown(part)}" if part is not None and part != text else ""
        tail = f'; the nearest that is accepted: "{nearest}"' if nearest else f"; accepted: {accepted}" * bool(accepted)
        # The caret's line goes last, where nothing can break it.
        caret = "" if position is None else f"\n    {text}\n    {' ' * position}{'^' * len(part or '^')}"
        super().__init__(f"cannot use the {what} {shown(text)}{at}: {reason}{tail}{caret}")


class OptionError(AuroraError, ValueError):
    """An argument or option with a value that is not accepted.

    Attributes:
        option: the name of the option.
        value: the value that was given.
    """

    def __init__(self, option: str, value: object, reason: str) -> None:
        self.option = option
        self.value = value
        super().__init__(f"{option}={shown(value)}: {printable(reason)}")


class UnknownOptionError(OptionError, TypeError):
    """An option that does not exist, or is not built yet. Nothing is ever ignored silently."""


class CallbackError(AuroraError, ValueError):
    """A callback that cannot be stored, found, or called with the arguments given.

    Attributes:
        callback: the callback as it was given.
    """

    def __init__(self, callback: object, reason: str) -> None:
        self.callback = callback
        super().__init__(f"cannot use the callback {shown(callback)}: {printable(reason)}")


class ArgumentsError(CallbackError, TypeError):
    """`callback_args` that are not JSON, or that the callback's signature does not take."""


class JobNotFoundError(AuroraError, LookupError):
    """No job has this id.

    Attributes:
        job_id: the id that was asked for.
    """

    def __init__(self, job_id: object) -> None:
        self.job_id = job_id
        super().__init__(f"there is no job with the id {shown(job_id)}; get_all_jobs() lists the ids there are")


class JobExistsError(AuroraError):
    """A job with this id is there already, and `if_exists` is "error".

    Attributes:
        job_id: the id that is taken.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"a job with the id {shown(job_id)} exists already; "
            'if_exists="update" makes it as given now, if_exists="keep" leaves it as it is'
        )


class SchedulerStopped(AuroraError, RuntimeError):
    """The call needs a scheduler that is open, and this one is not: not initialised yet, stopped, or failed."""


class ForkedProcessError(SchedulerStopped):
    """The scheduler was started in a parent process; threads do not survive a fork."""


class StoreError(AuroraError):
    """The database cannot be used.

    Attributes:
        path: the database, as it was given.
    """

    def __init__(self, path: object, reason: str) -> None:
        self.path = path
        super().__init__(f"the database {shown(masked(str(path)), 300)}: {printable(reason)}")


class NotADatabaseError(StoreError):
    """The file exists and is not an SQLite database. It has not been touched."""


class ForeignTablesError(StoreError):
    """The database has tables of our names that are not ours. It has not been touched."""


class NewerSchemaError(StoreError):
    """The database was written by a newer release. It has not been touched."""


class StoreReadOnlyError(StoreError):
    """The database, or its directory, cannot be written."""


class StoreCorruptError(StoreError):
    """The database is damaged."""


class StoreUnavailableError(StoreError):
    """The database cannot be written just now (locked, disk full, input/output error). Trying again may help."""


def one_of(accepted: Any) -> str:
    """The accepted words as a sentence shows them.

    >>> one_of(["update", "keep"])
    '"update" or "keep"'
    """
    words = [f'"{word}"' for word in accepted]
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
