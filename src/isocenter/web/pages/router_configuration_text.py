"""Texts of configurations as pages read them: the one that holds, another version, one that somebody edits."""

from __future__ import annotations

from functools import lru_cache

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.read import read_configuration
from isocenter.web.api.router_desk import RouterDesk

PARSED_KEPT = 8
"""Pages show one or two; reading a large one takes some tens of milliseconds."""


def current_configuration(desk: RouterDesk) -> Configuration:
    """Return the configuration that holds."""
    _, text = desk.text(None, as_written=True)
    return parsed(text)


@lru_cache(maxsize=PARSED_KEPT)
def parsed(text: str) -> Configuration:
    """Return what a text says. Raises InvalidConfiguration."""
    return read_configuration(text, file="configuration").configuration
