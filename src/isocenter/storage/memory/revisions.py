"""Revisions in memory, beside the index whose entries they change."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from isocenter.domain.errors import Conflict
from isocenter.domain.external_metadata import NO_EXTERNAL_METADATA, ExternalValue
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.external_metadata import ExternalMetadataStore
from isocenter.ports.index import InstanceRow, NewInstance
from isocenter.ports.revisions import StagedVersion
from isocenter.storage.memory.entries import Version
from isocenter.storage.memory.ledger import Heir, MemoryLedger

TARGET_EXISTS = "Instances are stored already under the identifiers that are to be given."


class RevisedIndex(Protocol):
    """What of an index revisions work on, under its lock."""

    @property
    def ledger(self) -> MemoryLedger:
        """Return the deliveries."""
        ...

    @property
    def external_metadata(self) -> ExternalMetadataStore:
        """Return what callers handed in beside studies."""
        ...

    def instances(self, scope: Scope) -> list[InstanceRow]:
        """Return the current instances of a scope."""
        ...

    def instance(self, instance_key: int) -> InstanceRow | None:
        """Return one current instance."""
        ...

    def require_active_tags(self, instances: Sequence[NewInstance]) -> None:
        """Raise QueryTagsChanged where an instance was looked at for other extended query tags."""
        ...

    def commit_versions(self, instances: Sequence[NewInstance], *, now: float, erase_due_at: float) -> list[int]:
        """Commit versions, all or none."""
        ...

    def take_out(self, identifier: InstanceIdentifier, *, now: float, erase_due_at: float) -> Version:
        """Take an instance out of its place; return the version that stays as the original one."""
        ...

    def set_original(self, identifier: InstanceIdentifier, version: Version) -> None:
        """Put a version beside an instance as its original one."""
        ...

    def erase_later(self, address: BlobAddress, *, due_at: float) -> None:
        """Note bytes that are to be destroyed."""
        ...


@dataclass(frozen=True, slots=True)
class _Staged:
    staged_key: int
    new: NewInstance

    @property
    def replaced_key(self) -> int | None:
        return None if self.new.membership is None else self.new.membership.replaced_key


class MemoryRevisions:
    """Keep revisions."""

    def __init__(self, lock: threading.RLock, index: RevisedIndex) -> None:
        self._lock = lock
        self._index = index
        self._staged: dict[str, list[_Staged]] = {}
        self._concluded: dict[str, int] = {}
        self._last_key = 0

    def stage(self, new: NewInstance, *, erase_due_at: float) -> int:
        """Keep a version until its revision is concluded, in the place of an earlier try; return its key."""
        if new.membership is None:
            raise Conflict("The version belongs to no revision.")
        key = new.membership.replaced_key
        for one in self._staged.get(new.membership.revision_id, ()):
            if one.new.address == new.address:
                return one.staged_key
        if key is not None:
            self.unstage(new.membership.revision_id, {key}, now=erase_due_at)
        self._last_key += 1
        self._staged.setdefault(new.membership.revision_id, []).append(_Staged(self._last_key, new))
        return self._last_key

    def staged(self, revision_id: str) -> list[StagedVersion]:
        """Return what is staged of a revision."""
        with self._lock:
            return [StagedVersion(one.replaced_key, one.new.address) for one in self._staged.get(revision_id, ())]

    def concluded(self, revision_id: str) -> int | None:
        """Return how many instances a revision changed."""
        return self._concluded.get(revision_id)

    def unstage(self, revision_id: str, replaced_keys: Collection[int] | None = None, *, now: float) -> int:
        """Let go of staged versions; return how many."""
        with self._lock:
            found = self._staged.pop(revision_id, [])
            going = [one for one in found if replaced_keys is None or one.replaced_key in replaced_keys]
            staying = [one for one in found if one not in going]
            if staying:
                self._staged[revision_id] = staying
            for one in going:
                self._index.erase_later(one.new.address, due_at=now)
            return len(going)

    def settle_revisions(self, *, keep: str | None, now: float) -> int:
        """Let go of every revision whose identifier does not begin with `keep`; return how many were staged."""
        with self._lock:
            for name in [one for one in self._concluded if keep is None or not one.startswith(keep)]:
                del self._concluded[name]
            going = [one for one in self._staged if keep is None or not one.startswith(keep)]
            return sum(self.unstage(name, now=now) for name in going)

    def conclude(
        self,
        revision_id: str,
        *,
        now: float,
        erase_due_at: float,
        scope: Scope | None = None,
        vacant: Scope | None = None,
    ) -> int | None:
        """Make everything current that is staged of a revision; return how many instances changed."""
        with self._lock:
            found = sorted(self._staged.get(revision_id, ()), key=lambda one: (one.replaced_key or 0, one.staged_key))
            if scope is None and not found:
                return None
            if scope is not None:
                current: set[int | None] = {row.instance_key for row in self._index.instances(scope)}
                if {one.replaced_key for one in found} != current:
                    return None
            if vacant is not None and self._index.instances(vacant):
                raise Conflict(TARGET_EXISTS)
            count = self._apply(found, now=now, erase_due_at=erase_due_at)
            self._staged.pop(revision_id, None)
            self._concluded[revision_id] = count
            return count

    def _apply(self, found: Sequence[_Staged], *, now: float, erase_due_at: float) -> int:
        changes = list(self._changes(found))
        self._index.require_active_tags([one for one, _ in changes])
        for one, row in changes:
            if row is not None and row.identifier != one.identifier and self._index.instances(_scope_of(one)):
                raise Conflict(TARGET_EXISTS)
        heirs = [self._heirs(new, row, now=now) for new, row in changes]
        with self._taken_out(changes, now=now, erase_due_at=erase_due_at):
            keys = self._index.commit_versions([one for one, _ in changes], now=now, erase_due_at=erase_due_at)
        self._index.ledger.begin_with((key, *heir) for key, own in zip(keys, heirs, strict=True) for heir in own)
        used = [new.address for new, _ in changes]
        for staged in found:
            if staged.new.address not in used:
                self._index.erase_later(staged.new.address, due_at=erase_due_at)
        return len(changes)

    def _heirs(self, new: NewInstance, row: InstanceRow | None, *, now: float) -> list[Heir]:
        """Return the deliveries that go on under other identifiers; under the same ones the commit sees to it."""
        if row is None or row.identifier == new.identifier:
            return []
        return self._index.ledger.supersede(row.instance_key, new.deliveries, now=now)

    def _changes(self, found: Sequence[_Staged]) -> Iterator[tuple[NewInstance, InstanceRow | None]]:
        """Yield what becomes current with what it is made from, but where that went meanwhile."""
        for one in found:
            new = replace(one.new, membership=None, keep_previous=True)
            row = None if one.replaced_key is None else self._index.instance(one.replaced_key)
            if row is not None and row.identifier.study_instance_uid != new.identifier.study_instance_uid:
                new = replace(new, external_metadata=self._moved_metadata(row.identifier, new.identifier))
            if row is not None or one.replaced_key is None:
                yield new, row

    def _moved_metadata(self, old: InstanceIdentifier, new: InstanceIdentifier) -> tuple[ExternalValue, ...]:
        """Return what a study is given of the one that an instance comes out of: what it has none of its own for."""
        studies = (old.study_instance_uid, new.study_instance_uid)
        found = self._index.external_metadata.of_studies(old.partition_name, studies)
        there, own = (found.get(study, NO_EXTERNAL_METADATA).values for study in studies)
        return tuple(one for one in there if one.tag not in {mine.tag for mine in own})

    @contextmanager
    def _taken_out(
        self, changes: Sequence[tuple[NewInstance, InstanceRow | None]], *, now: float, erase_due_at: float
    ) -> Iterator[None]:
        moved = [(new, row) for new, row in changes if row is not None and row.identifier != new.identifier]
        originals = [
            (new, self._index.take_out(row.identifier, now=now, erase_due_at=erase_due_at)) for new, row in moved
        ]
        yield
        for new, version in originals:
            self._index.set_original(new.identifier, version)


def _scope_of(new: NewInstance) -> Scope:
    one = new.identifier
    return Scope(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid, one.partition_name)
