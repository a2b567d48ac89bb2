"""The address of a database on a server, and what of it may be read."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from aurora_scheduler.errors import OptionError

__all__ = ["place_of"]

_AS = 'it must be like "postgresql://user:password@host:5432/name", with %40 for an @ and %2F for a / in the password'


def place_of(url: str) -> str:
    """The address without what nobody should read. Raises `OptionError` where it is none, and tells nothing of it."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        what = str(error).split(': "')[0].strip()  # what follows is the address, or a part of it
        raise OptionError("database", "postgresql://…", f"{what}; {_AS}") from None
    host, port, name = (str(known.get(part) or "") for part in ("host", "port", "dbname"))
    if "@" in host:
        raise OptionError("database", "postgresql://…", f"there is a second @ before the host's name; {_AS}")
    if "@" in url.partition("://")[2].partition("?")[0].partition("/")[2]:
        raise OptionError("database", "postgresql://…", f"there is a / before the @; {_AS}")
    if not all(each.isdecimal() for each in port.split(",") if each):  # perhaps it is the beginning of a password
        raise OptionError("database", "postgresql://…", f"its port is no number; {_AS}")
    name = name.replace("@", "%40")  # an @ is where a password ends
    return f"postgresql://{host}{f':{port}' if port else ''}/{name}"
