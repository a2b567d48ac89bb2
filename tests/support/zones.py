"""Time zones of a test's own: files in a directory, of which the test says what they are like."""

from __future__ import annotations

import sys
import zoneinfo
from importlib import resources
from pathlib import Path
from types import TracebackType

__all__ = ["Zones", "zone_file"]


def zone_file(name: str) -> bytes:
    """The file of a real zone."""
    *folders, last = name.split("/")
    return resources.files(".".join(["tzdata.zoneinfo", *folders])).joinpath(last).read_bytes()


class Zones:
    """A directory in which zones are looked for first.

    Its zones have names that no real one has: of all others, every test keeps the objects that it has.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = zoneinfo.TZPATH
        self._names: set[str] = set()

    def __enter__(self) -> Zones:
        zoneinfo.reset_tzpath([str(self.directory), *self._path])
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        zoneinfo.reset_tzpath(self._path)
        self.forget()

    def write(self, name: str, like: str) -> None:
        """Let a zone be like a real one, for processes that begin from now on."""
        assert name.startswith("Aurora/")
        self._names.add(name)
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(zone_file(like))

    def forget(self) -> None:
        """Forget what was read, as if the process were a new one."""
        zoneinfo.ZoneInfo.clear_cache(only_keys=self._names)
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("aurora_scheduler"):
                for value in list(vars(module).values()):
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    def change(self, name: str, like: str) -> None:
        """Let a zone be like a real one, from now on."""
        self.write(name, like)
        self.forget()

    def remove(self, name: str) -> None:
        """Let a zone vanish."""
        (self.directory / name).unlink()
        self.forget()
