"""The file that says what a node routes, as its settings name it."""

from __future__ import annotations

from isocenter.app.rule_trying import load_configuration
from isocenter.app.settings import Settings
from isocenter.routing.configuration.channel import Configuration


def load_routing(settings: Settings) -> Configuration:
    """Return what the file says, nothing where the settings name none. Raises InvalidConfiguration."""
    path = settings.routing.configuration
    return Configuration() if path is None else load_configuration(path).configuration
