"""Where external metadata is kept, beside the studies that it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from isocenter.domain.external_metadata import ExternalMetadata, ExternalValue


class ExternalMetadataStore(Protocol):
    """Keep external metadata; durable when a call returns. What comes with an instance commits with it."""

    def vrs(self) -> Mapping[int, str]:
        """Return the VR of every tag that was ever used."""
        ...

    def register(self, values: Sequence[ExternalValue]) -> None:
        """Keep the VRs of tags that are new; raises InvalidRequest where one is known with another."""
        ...

    def put(self, partition_name: str, study_instance_uid: str, values: Sequence[ExternalValue], *, now: float) -> None:
        """Keep values of a stored study in the place of those before; nothing where there is no such study."""
        ...

    def of_studies(self, partition_name: str, study_instance_uids: Collection[str]) -> Mapping[str, ExternalMetadata]:
        """Return what studies have, of those that have any."""
        ...
