"""The configuration of a node's channels: the file that it is read from, its versions, and what it names elsewhere.

The file is what holds. What differs in it from the latest version at a start becomes a version; what is imported later
is written into it. So whoever keeps it under version control, and whoever imports by command, see the same.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from isocenter.app.channels.durable_file import replace_file
from isocenter.app.channels.history import ConfigurationHistory, ConfigurationVersion
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.settings import Settings
from isocenter.domain.errors import Conflict, InvalidSetting, IsocenterError
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.problem import InvalidConfiguration, Problem
from isocenter.routing.configuration.read import TEXT_LENGTH_MAX, ReadConfiguration, read_configuration
from isocenter.routing.configuration.secret_names import secret_names

_log = structlog.get_logger()

ROUTING_FOLDER = "routing"
"""In the data folder."""
AUTHOR_FILE = "the file"
VERSIONS_REMEMBERED = 16
"""Parsed versions; deliveries that wait name the last few."""
_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class CurrentConfiguration:
    """The version that holds."""

    version: ConfigurationVersion
    configuration: Configuration
    warnings: tuple[Problem, ...] = ()
    new_channels: frozenset[str] = frozenset()
    """What the version before had not, where this one was found in the file just now."""


class ConfigurationStore:
    """The file and the versions of a node that routes."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime]) -> None:
        """Find the file that the settings name; raises Conflict where they name none."""
        if settings.routing.configuration is None:
            raise Conflict("This node routes nothing: the setting routing.configuration names no file.")
        self.file: Path = settings.routing.configuration
        self.folder = settings.data_dir / ROUTING_FOLDER
        self.history = ConfigurationHistory(self.folder)
        self._now = now
        self._secrets = SecretsByName(settings.data_dir, os.environ)
        self._parsed: OrderedDict[int, Configuration] = OrderedDict()
        self._lock = threading.Lock()

    def load(self) -> CurrentConfiguration:
        """Return what the file says, as the latest version. Raises InvalidConfiguration, StorageFailed."""
        text = read_text(self.file)
        read = read_configuration(text, file=str(self.file))
        latest = self.history.latest()
        if latest is not None and latest.text == text:
            return CurrentConfiguration(latest, read.configuration, read.warnings)
        before = None if latest is None else self.configuration_of(latest.number)
        reason = "First read." if latest is None else "It was changed by hand."
        version = self.history.append(text, author=AUTHOR_FILE, at=self._now().timestamp(), reason=reason)
        new = _channel_names(read.configuration) - _channel_names(before or Configuration())
        return CurrentConfiguration(version, read.configuration, read.warnings, new)

    def read(self, text: str, *, name: str = "configuration") -> ReadConfiguration:
        """Return what a text says. Raises InvalidConfiguration."""
        return read_configuration(text, file=name)

    def replace(self, text: str, *, author: str, reason: str) -> CurrentConfiguration:
        """Have another text hold from now on: it goes into the file and becomes a version.

        Raises InvalidConfiguration, StorageFailed, with nothing changed.
        """
        read = self.read(text)
        before = read_text(self.file)
        replace_file(self.file, text.encode(), mode=_FILE_MODE)
        try:
            version = self.history.append(text, author=author, at=self._now().timestamp(), reason=reason)
        except IsocenterError:
            replace_file(self.file, before.encode(), mode=_FILE_MODE)
            raise
        return CurrentConfiguration(version, read.configuration, read.warnings)

    def configuration_of(self, number: int) -> Configuration | None:
        """Return a version, None where it is not kept or cannot be read any more."""
        with self._lock:
            found = self._parsed.get(number)
            if found is not None:
                self._parsed.move_to_end(number)
                return found
        try:
            found = self.read(self.history.version(number).text, name=f"version {number}").configuration
        except IsocenterError:
            return None
        with self._lock:
            self._parsed[number] = found
            while len(self._parsed) > VERSIONS_REMEMBERED:
                self._parsed.popitem(last=False)
        return found

    def missing_secrets(self, configuration: Configuration) -> list[str]:
        """Return what is wrong with the secrets that a configuration names, each in a sentence with its name."""
        problems = []
        for name in secret_names(configuration):
            try:
                self._secrets.read(name)
            except InvalidSetting as error:
                problems.append(error.message)
        return problems


def _channel_names(configuration: Configuration) -> frozenset[str]:
    return frozenset(channel.name for channel in configuration.channels)


def read_text(path: Path) -> str:
    """Return the text of a file of channels. Raises InvalidConfiguration where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(TEXT_LENGTH_MAX + 1).decode()
    except OSError as error:
        raise InvalidConfiguration(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(f"{path} is not text in UTF-8.") from error
