"""Which secrets a configuration names."""

from __future__ import annotations

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import WebTarget
from isocenter.routing.configuration.destination_sections import AUTHENTICATIONS, TARGETS

_SECTIONS = (*TARGETS, *AUTHENTICATIONS)


def secret_names(configuration: Configuration) -> tuple[str, ...]:
    """Return the names of all secrets, each once, in the order of the destinations."""
    found: dict[str, None] = {}
    for destination in configuration.destinations:
        target = destination.target
        parts = (target, target.authentication) if isinstance(target, WebTarget) else (target,)
        for part in parts:
            section = next(one for one in _SECTIONS if one.make is type(part))
            names = (getattr(part, key.field_name) for key in section.keys if key.kind is kinds.SECRET)
            found.update(dict.fromkeys(name for name in names if name))
    return tuple(found)
