"""Texts that are meant for a database on a server, and are no address of one.

As the name of a file they would be taken at their word, and the jobs would be where nobody looks for them.
"""

from __future__ import annotations

import re

__all__ = ["why_no_address"]

_POSTGRES = re.compile(
    r"(?P<blank>\s*)postgres(?:ql)?(?P<driver>\+[\w+.-]*)?(?::(?P<slashes>//)?|//(?=[^/]*@))", re.IGNORECASE
)
#: As libpq's own form begins, "host=localhost dbname=jobs".
_KEY = re.compile(
    r"\s*(?:host|hostaddr|port|dbname|user|password|passfile|service|options|sslmode|connect_timeout|application_name)"
    r"\s*=",
    re.IGNORECASE,
)
_AS = 'an address must be like "postgresql://user@host/database"'
_FILE = "a file of this name can be given with ./ before it"


def why_no_address(text: str) -> str | None:
    """Why a text that is meant for a server cannot be used; None for one that is an address, or means something else.

    Of the text itself, in which there may be a password, nothing is said but the name of a driver.
    """
    if _KEY.match(text):
        return f"libpq's form key=value is not accepted: {_AS}; {_FILE}"
    found = _POSTGRES.match(text)
    if found is None:
        return None
    if found["driver"]:
        return f"leave out {found['driver']}, which is for SQLAlchemy: {_AS}"
    if not found["slashes"]:
        return f"it begins like an address and is none, since :// is missing: {_AS}; {_FILE}"
    return f"there is a blank before it: {_AS}" if found["blank"] else None
