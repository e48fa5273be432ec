"""What the index in memory keeps: studies with their series with their instances, each with its values by tag."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.external_metadata import NO_EXTERNAL_METADATA, ExternalMetadata
from isocenter.ports.index import NewInstance

_MODALITY = BY_KEYWORD["Modality"].tag

TagValue = tuple[int, str]
"""The value of an extended query tag, behind the key of the instance that it is from."""


@dataclass(slots=True)
class Version:
    """One version of an instance."""

    key: int
    new: NewInstance
    attributes: dict[int, str]


@dataclass(slots=True)
class Instance:
    """An instance: its current version, and the first one if that is kept."""

    current: Version
    original: Version | None = None
    query_tag_values: dict[int, TagValue] = field(default_factory=dict)


@dataclass(slots=True)
class Series:
    """A series."""

    key: int
    attributes: dict[int, str]
    instances: dict[str, Instance] = field(default_factory=dict)
    query_tag_values: dict[int, TagValue] = field(default_factory=dict)

    @property
    def newest_key(self) -> int:
        """Return the key of the instance that came last."""
        return max(instance.current.key for instance in self.instances.values())


@dataclass(slots=True)
class Study:
    """A study."""

    key: int
    partition_name: str
    attributes: dict[int, str]
    series: dict[str, Series] = field(default_factory=dict)
    query_tag_values: dict[int, TagValue] = field(default_factory=dict)
    external_metadata: ExternalMetadata = NO_EXTERNAL_METADATA

    @property
    def newest_key(self) -> int:
        """Return the key of the instance that came last."""
        return max(series.newest_key for series in self.series.values())

    @property
    def modalities(self) -> list[str]:
        """Return the modalities of its series."""
        return sorted({one.attributes[_MODALITY] for one in self.series.values() if _MODALITY in one.attributes})

    @property
    def sop_classes(self) -> list[str]:
        """Return the SOP classes of its instances."""
        return sorted(
            {one.current.new.sop_class_uid for series in self.series.values() for one in series.instances.values()}
        )

    @property
    def number_of_instances(self) -> int:
        """Return how many instances it has."""
        return sum(len(series.instances) for series in self.series.values())


def keep_latest(values: dict[int, TagValue], query_tag_key: int, value: TagValue) -> None:
    """Keep the value of a tag where none of a later instance is there."""
    if values.get(query_tag_key, value)[0] <= value[0]:
        values[query_tag_key] = value
