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
class PartitionGrant:
    """Actions that are granted within one partition only."""

    partition_name: str
    data_actions: frozenset[DataAction]


@dataclass(frozen=True, slots=True)
class SharedStudy:
    """The one study that a link was given for."""

    study_instance_uid: str
    partition_name: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, with the actions granted."""

    name: str
    data_actions: frozenset[DataAction]
    """What it may do everywhere."""
    object_id: str = ""
    """By which the directory knows it (`oid`); empty for callers that are in none."""
    application_id: str = ""
    """The program that calls, for itself or for a person (`appid`, `azp`)."""
    partition_grants: tuple[PartitionGrant, ...] = ()
    is_of_partition: bool = False
    """Whether some of the actions were granted in the one partition only that is spoken of."""
    shared_study: SharedStudy | None = None
    """What it may read and nothing else, where it came by a link: it has no data actions, so that whatever does not
    know of links refuses it."""

    @property
    def is_owner(self) -> bool:
        """Tell whether it may do everything everywhere, and so administer who else may."""
        return self.data_actions >= OWNER_ACTIONS and not self.is_of_partition

    def require_owner(self) -> None:
        """Raise Forbidden unless it may administer."""
        if not self.is_owner:
            raise Forbidden()

    def require(self, action: DataAction) -> None:
        """Raise Forbidden unless the action is granted."""
        if action not in self.data_actions:
            raise Forbidden()

    def require_reading(self, study_instance_uid: str, partition_name: str) -> None:
        """Raise Forbidden unless a study may be read."""
        if self.shared_study != SharedStudy(study_instance_uid, partition_name):
            self.require(DataAction.READ)

    def within(self, partition_name: str) -> Principal:
        """Return the same caller with what it may do in one partition, and nothing about others."""
        if not self.partition_grants:
            return self
        here = (grant.data_actions for grant in self.partition_grants if grant.partition_name == partition_name)
        actions = self.data_actions.union(*here)
        is_of_partition = actions != self.data_actions
        return Principal(self.name, actions, self.object_id, self.application_id, is_of_partition=is_of_partition)


OWNER_ACTIONS = frozenset(DataAction)
READER_ACTIONS = frozenset({DataAction.READ})
LOCAL_OWNER = Principal("local", OWNER_ACTIONS)
"""The caller of a node that runs with `--auth off` on loopback, and of its own commands."""
ANYBODY = Principal("anybody", frozenset())
"""The caller of what needs no evidence."""
