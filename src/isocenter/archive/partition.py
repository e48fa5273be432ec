"""Data partitions: which there are, and who may go into one (dicom-service 10)."""

from __future__ import annotations

from isocenter.archive.archive import Archive
from isocenter.domain.errors import InvalidRequest, InvalidSetting
from isocenter.domain.partition import Partition, parse_partition_name
from isocenter.domain.principal import DataAction, Principal


def list_partitions(archive: Archive, principal: Principal) -> list[Partition]:
    """Return the partitions in the order in which they were begun."""
    principal.require(DataAction.READ)
    return archive.partitions.all()


def require_partition(archive: Archive, partition_name: str) -> None:
    """Raise InvalidRequest unless there is a partition of that name."""
    if archive.partitions.find(parse_partition_name(partition_name)) is None:
        raise InvalidRequest("Specified PartitionName does not exist.")


def begin_partition(archive: Archive, principal: Principal, partition_name: str) -> None:
    """Begin a partition for what is about to be written to it, unless it is there.

    Raises InvalidRequest where that is no name, Forbidden.
    """
    principal.require(DataAction.WRITE)
    archive.partitions.create(parse_partition_name(partition_name), now=archive.clock.now().timestamp())


def require_switch(archive: Archive, *, is_on: bool) -> None:
    """Raise InvalidSetting where partitions are switched off that hold something nobody would reach any more."""
    further = len(archive.partitions.all()) - 1
    if further and not is_on:
        raise InvalidSetting(
            f"Data partitions cannot be switched off: there are {further} besides the default one. "
            "Set azure.partitions to on."
        )
