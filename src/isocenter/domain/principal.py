"""Who calls, and what they may do (dicom-service 12.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.errors import Forbidden


class DataAction(StrEnum):
    """An action on the data of the service."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    EXPORT = "export"
    MANAGE_EXTENDED_QUERY_TAGS = "manageExtendedQueryTags"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, with the actions granted."""

    name: str
    data_actions: frozenset[DataAction]

    def require(self, action: DataAction) -> None:
        """Raise Forbidden unless the action is granted."""
        if action not in self.data_actions:
            raise Forbidden()


OWNER_ACTIONS = frozenset(DataAction)
READER_ACTIONS = frozenset({DataAction.READ})
LOCAL_OWNER = Principal("local", OWNER_ACTIONS)
"""The caller of a node that runs with `--auth off` on loopback, and of its own commands."""
