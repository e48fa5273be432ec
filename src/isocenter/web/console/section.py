"""The parts of the console that a node offers, as its role has them."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.principal import DataAction, Principal


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the navigation."""

    key: str
    """By which pages name it as theirs."""
    label: str
    path: str
    icon: str
    """A name of `_icons.html`."""
    action: DataAction = DataAction.READ
    """What a person needs to be granted to see it."""


STUDIES = Section("studies", "Studies", "/", "stack")
QUERY = Section("query", "Query/Retrieve", "/query", "search")
ROUTER = Section("router", "Router", "/router", "route")
SERVICE = Section("service", "Service", "/service", "cloud")
SYSTEM = Section("system", "System", "/system", "pulse")
HELP = Section("api", "API", "/docs/api", "book")


def offered_to(principal: Principal, sections: tuple[Section, ...]) -> list[Section]:
    """Return the sections that a person may see."""
    return [section for section in sections if section.action in principal.data_actions]
