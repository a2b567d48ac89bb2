"""An index of a directory: path, size and SHA-256 of its files, within bounds that keep it short."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["MOST_BYTES", "MOST_FILES", "Entry", "Index", "index_directory"]

MOST_FILES = 2_000
MOST_BYTES = 50_000_000
_MOST_LOOKED_AT = 20_000
_CHUNK = 1 << 20
#: Directories that tools fill, and nobody reads.
_PASSED_BY = frozenset(
    {".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv"}
    | {"__pycache__", "node_modules", "venv"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Index:
    """The files that were read, in order, and what was left out."""

    entries: tuple[Entry, ...]
    octets: int
    unreadable: int
    is_cut: bool
    """Whether there was more than the bounds allow."""

    def write(self, target: Path) -> None:
        """Write it, one JSON object a line. Who reads `target` meanwhile sees the old index or the new one."""
        partial = target.with_name(f"{target.name}.partial")
        partial.write_text("".join(f"{json.dumps(asdict(entry))}\n" for entry in self.entries))
        os.replace(partial, target)


def index_directory(
    directory: Path, database: Path, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> Index:
    """Read the files under `directory`, in the order of their names; links are not followed.

    The files of `database` are passed by: this process has it open, and to close any other descriptor of such a
    file would drop the locks that SQLite has on it.
    """
    ours = {_identity(file) for file in database.parent.glob(f"{glob.escape(database.name)}*")}
    entries: list[Entry] = []
    octets = unreadable = 0
    is_cut = False
    for number, path in enumerate(_files(directory)):
        if len(entries) == most_files or number == _MOST_LOOKED_AT:
            is_cut = True
            break
        try:
            looks = os.lstat(path)
            if not stat.S_ISREG(looks.st_mode) or (looks.st_dev, looks.st_ino) in ours:
                continue
            if octets + looks.st_size > most_bytes:
                is_cut = True
                continue
            entries.append(Entry(os.path.relpath(path, directory), looks.st_size, _digest(path, looks.st_size)))
        except OSError:
            unreadable += 1
        else:
            octets += looks.st_size
    return Index(tuple(entries), octets, unreadable, is_cut)


def _identity(file: Path) -> tuple[int, int]:
    with suppress(OSError):
        looks = file.lstat()
        return looks.st_dev, looks.st_ino
    return 0, 0


def _files(directory: Path) -> Iterator[str]:
    for root, directories, names in os.walk(directory):
        directories[:] = sorted(set(directories) - _PASSED_BY)
        yield from (os.path.join(root, name) for name in sorted(names))


def _digest(path: str, size: int) -> str:
    """The SHA-256 of the first `size` bytes: a file that grows, or that the kernel makes up, has an end this way."""
    digest, left = hashlib.sha256(), size
    if size == 0:
        return digest.hexdigest()
    with open(path, "rb") as file:
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()
