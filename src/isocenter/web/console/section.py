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
    is_of_partition: bool = False
    """Whether a grant in the partition that the console shows is enough; the others show the whole node."""


STUDIES = Section("studies", "Studies", "/", "stack", is_of_partition=True)
QUERY = Section("query", "Query/Retrieve", "/query", "search")
ROUTER = Section("router", "Router", "/router", "route")
SERVICE = Section("service", "Service", "/service", "cloud")
SYSTEM = Section("system", "System", "/system", "pulse")
HELP = Section("api", "API", "/docs/api", "book", is_of_partition=True)


def offered_to(principal: Principal, sections: tuple[Section, ...], *, partition_name: str) -> list[Section]:
    """Return the sections that a person may see, by what is granted everywhere and in the partition that is shown."""
    here = principal.within(partition_name).data_actions
    return [one for one in sections if one.action in (here if one.is_of_partition else principal.data_actions)]
