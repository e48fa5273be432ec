"""Versions of the configuration of channels: each as it was written, by whom, when and why. None is ever changed.

A version is a file of the data folder, so that what sent an instance can be told years later, whatever became of the
index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from isocenter.app.channels.durable_file import replace_file
from isocenter.domain.errors import Broken, NotFound

VERSIONS_FOLDER = "versions"
_FILE = re.compile(r"(\d{6})\.json")


@dataclass(frozen=True, slots=True)
class ConfigurationVersion:
    """One version."""

    number: int
    """From 1."""
    author: str
    at: float
    """When it became the current one, seconds since the epoch."""
    reason: str
    text: str
    """As it was written, comments included."""


class ConfigurationHistory:
    """The versions of a node."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of routing in the data folder."""
        self._folder = folder / VERSIONS_FOLDER

    def numbers(self) -> list[int]:
        """Return the numbers of all versions, the first one first."""
        if not self._folder.is_dir():
            return []
        return sorted(int(found[1]) for path in self._folder.iterdir() if (found := _FILE.fullmatch(path.name)))

    def version(self, number: int) -> ConfigurationVersion:
        """Return a version; raises NotFound where there is none of that number."""
        try:
            content = self._path(number).read_bytes()
        except OSError as error:
            raise NotFound(f"There is no version {number} of the configuration.") from error
        return _read(number, content)

    def latest(self) -> ConfigurationVersion | None:
        """Return the current version, None before the first."""
        numbers = self.numbers()
        return self.version(numbers[-1]) if numbers else None

    def append(self, text: str, *, author: str, at: float, reason: str) -> ConfigurationVersion:
        """Keep a new version, durably; raises StorageFailed."""
        numbers = self.numbers()
        version = ConfigurationVersion(numbers[-1] + 1 if numbers else 1, author, at, reason, text)
        document = {"author": author, "at": at, "reason": reason, "text": text}
        replace_file(self._path(version.number), orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return version

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"


def _read(number: int, content: bytes) -> ConfigurationVersion:
    try:
        document: Mapping[str, object] = orjson.loads(content)
        at = document["at"]
        if not isinstance(at, int | float):
            raise TypeError
        return ConfigurationVersion(
            number, str(document["author"]), float(at), str(document["reason"]), str(document["text"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Broken(f"Version {number} of the configuration cannot be read.") from error
