"""Checks of what a node routes by: the file of channels, the secrets that it names, the folders that it watches."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.app.channels.configuration import ConfigurationStore, read_text
from isocenter.app.doctor import Check, Finding, fail, ok, warn
from isocenter.app.settings import Settings
from isocenter.app.wiring import SystemClock
from isocenter.routing.configuration.channel import Configuration, DimseSource, FolderSource
from isocenter.routing.configuration.problem import InvalidConfiguration, in_words
from isocenter.routing.configuration.read import ReadConfiguration, read_configuration

NOTHING = "this node routes nothing"


def check_configuration(settings: Settings) -> Finding:
    """Look whether the file of channels can be used, and for what is hardly meant in it."""
    if settings.routing.configuration is None:
        return ok(NOTHING)
    try:
        read = _read(settings)
    except InvalidConfiguration as error:
        return fail(error.message, "Mend what is named; `isocenter rule check FILE` tells it again.")
    configuration = read.configuration
    taken = _taken_by_the_node(settings, configuration)
    if taken:
        return fail(f"channel {taken} listens where the node does", "Give it a port of its own in `listen`.")
    if read.warnings:
        return warn(in_words(read.warnings), "Change it, unless it is meant so.")
    return ok(f"{len(configuration.channels)} channels, {len(configuration.destinations)} destinations")


def check_secrets(settings: Settings) -> Finding:
    """Look for each secret that the file of channels names."""
    if settings.routing.configuration is None:
        return ok(NOTHING)
    store = ConfigurationStore(settings, now=SystemClock().now)
    missing = store.missing_secrets(_read(settings).configuration)
    if missing:
        return warn(" ".join(missing), "Put it there; deliveries to its destination wait until then.")
    return ok("every secret that is named is there")


def check_folders(settings: Settings) -> Finding:
    """Look whether files can be taken from the folders that channels watch."""
    if settings.routing.configuration is None:
        return ok(NOTHING)
    sources = [channel.source for channel in _read(settings).configuration.channels]
    folders = [Path(one.path) for one in sources if isinstance(one, FolderSource)]
    for folder in folders:
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return fail(f"{folder} cannot be read and written to", "Give the node's user the right to.")
    return ok(f"{len(folders)} folders are watched")


def _read(settings: Settings) -> ReadConfiguration:
    path = settings.routing.configuration
    assert path is not None, "whoever asks has looked"
    return read_configuration(read_text(path), file=str(path))


def _taken_by_the_node(settings: Settings, configuration: Configuration) -> str:
    """Return a channel that wants a port of the node's own listeners, empty where none does."""
    dicom, http = settings.dicom, settings.http
    own = {one.port for one in (dicom.listen, dicom.tls_listen, http.listen, http.tls_listen) if one is not None}
    for channel in configuration.channels:
        if isinstance(channel.source, DimseSource) and channel.source.listen.port in own - {0}:
            return channel.name
    return ""


CHECKS = (
    Check("file of channels", check_configuration),
    Check("secrets of destinations", check_secrets),
    Check("folders of channels", check_folders),
)
