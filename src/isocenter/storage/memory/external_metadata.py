"""External metadata in memory; the values lie in the studies of the index."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence

from isocenter.domain.external_metadata import ExternalMetadata, ExternalValue, new_tags
from isocenter.storage.memory.entries import Study


class MemoryExternalMetadata:
    """Keep external metadata beside the index whose lock and studies are given."""

    def __init__(self, lock: threading.RLock, studies: Mapping[tuple[str, str], Study]) -> None:
        self._lock = lock
        self._studies = studies
        self._vrs: dict[int, str] = {}

    def vrs(self) -> Mapping[int, str]:
        """Return the VR of every tag that was ever used."""
        with self._lock:
            return dict(self._vrs)

    def register(self, values: Sequence[ExternalValue]) -> None:
        """Keep the VRs of tags that are new; raises InvalidRequest where one is known with another."""
        with self._lock:
            self._vrs |= new_tags(self._vrs, values)

    def put(self, partition_name: str, study_instance_uid: str, values: Sequence[ExternalValue], *, now: float) -> None:
        """Keep values of a stored study in the place of those before; nothing where there is no such study."""
        with self._lock:
            study = self._studies.get((partition_name, study_instance_uid))
            if study is not None and values:
                kept = {one.tag: one for one in (*study.external_metadata.values, *values)}
                ordered = tuple(kept[tag] for tag in sorted(kept))
                study.external_metadata = ExternalMetadata(ordered, max(now, study.external_metadata.changed_at))

    def of_studies(self, partition_name: str, study_instance_uids: Collection[str]) -> Mapping[str, ExternalMetadata]:
        """Return what studies have, of those that have any."""
        with self._lock:
            found = {uid: self._studies.get((partition_name, uid)) for uid in study_instance_uids}
            return {
                uid: study.external_metadata
                for uid, study in found.items()
                if study is not None and study.external_metadata.values
            }
