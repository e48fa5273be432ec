"""The index in dictionaries, searched by looking at everything: what the other indexes must equal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from isocenter.domain.attributes import (
    BY_KEYWORD,
    INSTANCE_ATTRIBUTES,
    REQUEST_ITEM_TAGS,
    SERIES_ATTRIBUTES,
    STUDY_ATTRIBUTES,
)
from isocenter.domain.delivery import DELETED
from isocenter.domain.errors import NotFound, QueryTagsChanged
from isocenter.domain.forms import integer_of
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.indexed import require_searchable
from isocenter.domain.query import Cursor, Query, SearchPage, SearchRow
from isocenter.ports.blobs import BlobAddress, BlobPosition
from isocenter.ports.index import (
    TIMESTAMP_DIGITS,
    Change,
    ChangeAction,
    ChangeState,
    Erasure,
    InstanceRow,
    NewInstance,
    Totals,
)
from isocenter.storage.memory.entries import Instance, Series, Study, Version
from isocenter.storage.memory.external_metadata import MemoryExternalMetadata
from isocenter.storage.memory.ledger import Heir, MemoryLedger
from isocenter.storage.memory.operations import MemoryOperations
from isocenter.storage.memory.query_tags import MemoryQueryTags, Resources
from isocenter.storage.memory.revisions import MemoryRevisions
from isocenter.storage.memory.search import iter_rows

_STUDY_TAGS = tuple(one.tag for one in STUDY_ATTRIBUTES)
_SERIES_TAGS = tuple(one.tag for one in SERIES_ATTRIBUTES)
_INSTANCE_TAGS = tuple(one.tag for one in INSTANCE_ATTRIBUTES)
_INSTANCE_NUMBER = BY_KEYWORD["InstanceNumber"].tag
_NUMBER_OF_FRAMES = BY_KEYWORD["NumberOfFrames"].tag


@dataclass(frozen=True, slots=True)
class _FeedRow:
    sequence: int
    identifier: InstanceIdentifier
    action: ChangeAction
    timestamp: float
    instance_key: int


class MemoryInstanceIndex:
    """Keep the index in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._studies: dict[tuple[str, str], Study] = {}
        self._feed: list[_FeedRow] = []
        self._erasures: list[Erasure] = []
        self._positions: dict[int, int] = {}
        self._stamped_at = 0.0
        self._keys = dict.fromkeys(("study", "series", "instance", "erasure"), 0)
        self.operations = MemoryOperations()
        self.ledger = MemoryLedger(self._lock, self.instance)
        self.revisions = MemoryRevisions(self._lock, self)
        self.external_metadata = MemoryExternalMetadata(self._lock, self._studies)
        self.query_tags = MemoryQueryTags(self._lock, self.operations, self._current)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    @property
    def is_failed(self) -> bool:
        """Tell that memory does not fail."""
        return False

    def require_room(self) -> None:
        """Do nothing: memory has no reserve."""

    def _stamp(self, now: float) -> float:
        """Return the timestamp of feed rows that are committed now: not before any that a reader may count on."""
        self._stamped_at = max(self._stamped_at, round(now, TIMESTAMP_DIGITS))
        return self._stamped_at

    def _next(self, kind: str) -> int:
        self._keys[kind] += 1
        return self._keys[kind]

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition] = (),
    ) -> list[int]:
        """Commit instances with their feed and delivery rows; return their instance keys."""
        with self._lock:
            self.require_active_tags(instances)
            for position in positions:
                self._positions[position.container] = max(position.length, self._positions.get(position.container, 0))
            stamp = self._stamp(now)
            return [
                self._commit(new, stamp, received_at=now, erase_due_at=erase_due_at)
                if new.membership is None
                else self.revisions.stage(new, erase_due_at=erase_due_at)
                for new in instances
            ]

    def require_active_tags(self, instances: Sequence[NewInstance]) -> None:
        """Raise QueryTagsChanged where an instance was looked at for other tags than those that are active."""
        active = tuple(one.query_tag_key for one in self.query_tags.active())
        if any(new.query_tag_keys != active for new in instances):
            raise QueryTagsChanged()

    def commit_versions(self, instances: Sequence[NewInstance], *, now: float, erase_due_at: float) -> list[int]:
        """Commit versions of a revision, all or none."""
        return self.commit(instances, now=now, erase_due_at=erase_due_at)

    def take_out(self, identifier: InstanceIdentifier, *, now: float, erase_due_at: float) -> Version:
        """Take an instance out of its place; return the version that stays as the original one."""
        stored = self._find(identifier)
        if stored is None:
            raise NotFound()
        kept = stored.original or stored.current
        erasures = len(self._erasures)
        self._delete(stored, self._stamp(now), erase_due_at)
        going = [one for one in self._erasures[erasures:] if one.address != kept.new.address]
        self._erasures[erasures:] = going
        return kept

    def set_original(self, identifier: InstanceIdentifier, version: Version) -> None:
        """Put a version beside an instance as its original one."""
        stored = self._find(identifier)
        if stored is not None:
            stored.original = replace(version, new=replace(version.new, identifier=identifier))

    def erase_later(self, address: BlobAddress, *, due_at: float) -> None:
        """Note bytes that are to be destroyed."""
        self._erasures.append(Erasure(self._next("erasure"), address, due_at))

    def _commit(self, new: NewInstance, now: float, *, received_at: float, erase_due_at: float) -> int:
        version = Version(self._next("instance"), new, _instance_attributes(new))
        series = self._series_for(new)
        stored = series.instances.get(new.identifier.sop_instance_uid)
        heirs: list[Heir] = []
        if stored is None:
            series.instances[new.identifier.sop_instance_uid] = Instance(version)
        else:
            heirs = self.ledger.supersede(stored.current.key, new.deliveries, now=received_at)
            self._replace(stored, version, erase_due_at)
        self.query_tags.highest_key = version.key
        instance = series.instances[new.identifier.sop_instance_uid]
        instance.query_tag_values.clear()
        study = self._studies[new.identifier.partition_name, new.identifier.study_instance_uid]
        self.query_tags.index_values(new.query_tag_values, (study, series, instance))
        place = (new.identifier.partition_name, new.identifier.study_instance_uid)
        self.external_metadata.put(*place, new.external_metadata, now=now)
        action = ChangeAction.CREATE if stored is None else ChangeAction.UPDATE
        self._feed.append(_FeedRow(len(self._feed) + 1, new.identifier, action, now, version.key))
        self.ledger.begin([(version.key, plan) for plan in new.deliveries], now=received_at)
        self.ledger.begin_with((version.key, *heir) for heir in heirs)
        return version.key

    def _series_for(self, new: NewInstance) -> Series:
        identifier = new.identifier
        place = (identifier.partition_name, identifier.study_instance_uid)
        study = self._studies.get(place)
        if study is None:
            study = self._studies[place] = Study(self._next("study"), identifier.partition_name, {})
        series = study.series.get(identifier.series_instance_uid)
        if series is None:
            series = study.series[identifier.series_instance_uid] = Series(self._next("series"), {})
        study.attributes |= _present(new, _STUDY_TAGS)
        study.attributes[BY_KEYWORD["StudyInstanceUID"].tag] = identifier.study_instance_uid
        series.attributes |= _present(new, _SERIES_TAGS)
        requests = _present(new, REQUEST_ITEM_TAGS)
        if requests:  # the items of a sequence belong together
            kept = {tag: value for tag, value in series.attributes.items() if tag not in REQUEST_ITEM_TAGS}
            series.attributes = kept | requests
        series.attributes[BY_KEYWORD["SeriesInstanceUID"].tag] = identifier.series_instance_uid
        return series

    def _replace(self, stored: Instance, version: Version, erase_due_at: float) -> None:
        previous = stored.current
        if version.new.keep_previous and stored.original is None:
            stored.original = previous
        else:
            self._erase_later(previous, erase_due_at)
        stored.current = version

    def _erase_later(self, version: Version, erase_due_at: float) -> None:
        self.erase_later(version.new.address, due_at=erase_due_at)

    def _find(self, identifier: InstanceIdentifier) -> Instance | None:
        study = self._studies.get((identifier.partition_name, identifier.study_instance_uid))
        series = study.series.get(identifier.series_instance_uid) if study else None
        return series.instances.get(identifier.sop_instance_uid) if series else None

    def find_stored(self, identifiers: Sequence[InstanceIdentifier]) -> dict[InstanceIdentifier, InstanceRow]:
        """Return those of the identifiers that are stored, current versions."""
        with self._lock:
            found = ((identifier, self._find(identifier)) for identifier in identifiers)
            return {identifier: _row(stored) for identifier, stored in found if stored is not None}

    def _in_scope(self, scope: Scope) -> list[tuple[Series, Instance]]:
        study = self._studies.get((scope.partition_name, scope.study_instance_uid))
        return [
            (series, instance)
            for series_uid, series in (study.series.items() if study else ())
            for sop_uid, instance in series.instances.items()
            if scope.series_instance_uid in (None, series_uid) and scope.sop_instance_uid in (None, sop_uid)
        ]

    def instances(self, scope: Scope, *, original: bool = False) -> list[InstanceRow]:
        """Return the instances of a scope, by series, instance number, key."""
        with self._lock:
            rows = [
                (series.key, _original_row(instance.original) if original and instance.original else _row(instance))
                for series, instance in self._in_scope(scope)
                if not original or instance.original is not None
            ]
        rows.sort(
            key=lambda row: (row[0], row[1].instance_number is None, row[1].instance_number or 0, row[1].instance_key)
        )
        return [row for _, row in rows]

    def _everything(self) -> Iterator[tuple[Study, Series, Instance]]:
        for study in self._studies.values():
            for series in study.series.values():
                for instance in series.instances.values():
                    yield study, series, instance

    def _current(self) -> list[Resources]:
        return list(self._everything())

    def _versions(self) -> list[Version]:
        with self._lock:
            found = [
                version
                for _, _, instance in self._everything()
                for version in (instance.current, instance.original)
                if version is not None
            ]
        return sorted(found, key=lambda version: version.key)

    def instance(self, instance_key: int) -> InstanceRow | None:
        """Return one current instance by key."""
        with self._lock:
            return next((_row(one) for _, _, one in self._everything() if one.current.key == instance_key), None)

    def instances_of_keys(self, instance_keys: Sequence[int]) -> dict[int, InstanceRow]:
        """Return those of some instances that are there now, by key."""
        found = ((key, self.instance(key)) for key in instance_keys)
        return {key: row for key, row in found if row is not None}

    def frame_table(self, instance_key: int) -> bytes:
        """Return the encoded frame table of an instance; empty if it has none."""
        return next((one.new.frame_table for one in self._versions() if one.key == instance_key), b"")

    def invalid_paths(self, instance_keys: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the elements that metadata leaves out, of those of the instances that have any."""
        asked = set(instance_keys)
        return {
            one.key: one.new.invalid_paths for one in self._versions() if one.key in asked and one.new.invalid_paths
        }

    def search(self, query: Query) -> list[SearchRow]:
        """Return the rows that match, newest first."""
        return [row for _, row in self._matching(query)[query.offset :][: query.limit]]

    def search_page(self, query: Query, cursor: Cursor | None = None) -> SearchPage:
        """Return the rows that come next, newest first, and where to go on."""
        with self._lock:
            newest = self._keys["study"] if cursor is None else cursor.newest
            found = self._matching(query, newest)
        rows = [(key, row) for key, row in found if cursor is None or key < cursor.below][: query.limit]
        following = Cursor(rows[-1][0], newest) if len(rows) == query.limit and rows else None
        return SearchPage([row for _, row in rows], following)

    def count(self, query: Query) -> int:
        """Return how many rows match, without regard to limit and offset."""
        return len(self._matching(query))

    def _matching(self, query: Query, newest: int | None = None) -> list[tuple[int, SearchRow]]:
        require_searchable(query)
        with self._lock:
            rows = list(iter_rows(self._studies.values(), query, newest=newest))
        return sorted(rows, key=lambda pair: pair[0], reverse=True)

    def delete(self, scope: Scope, *, now: float, erase_due_at: float) -> int:
        """Remove a scope, with feed rows and erasures; return how many instances went."""
        with self._lock:
            going = sorted((one for _, one in self._in_scope(scope)), key=lambda one: one.current.key)
            stamp = self._stamp(now)
            for instance in going:
                self._delete(instance, stamp, erase_due_at)
            return len(going)

    def _delete(self, instance: Instance, now: float, erase_due_at: float) -> None:
        identifier = instance.current.new.identifier
        place = (identifier.partition_name, identifier.study_instance_uid)
        study = self._studies[place]
        series = study.series[identifier.series_instance_uid]
        del series.instances[identifier.sop_instance_uid]
        if not series.instances:
            del study.series[identifier.series_instance_uid]
        if not study.series:
            del self._studies[place]
        for version in (instance.current, instance.original):
            if version is not None:
                self._erase_later(version, erase_due_at)
                self.ledger.withdraw(version.key, DELETED)
        self.query_tags.forget_errors(identifier)
        key = instance.current.key
        self._feed.append(_FeedRow(len(self._feed) + 1, identifier, ChangeAction.DELETE, now, key))

    def changes(self, *, after: int = 0, limit: int = 100) -> list[Change]:
        """Return feed rows with a sequence above `after`, in order."""
        with self._lock:
            return [self._change(row) for row in self._feed[max(0, after) :][:limit]]

    def _change(self, row: _FeedRow) -> Change:
        stored = self._find(row.identifier)
        current_key = stored.current.key if stored else None
        if current_key is None:
            state = ChangeState.DELETED
        else:
            own = row.action is not ChangeAction.DELETE and row.instance_key == current_key
            state = ChangeState.CURRENT if own else ChangeState.REPLACED
        return Change(row.sequence, row.identifier, row.action, state, row.timestamp, current_key)

    def change_window(self, *, start: float | None, end: float | None, now: float) -> tuple[int, int]:
        """Return the sequence of the first feed row of a window of time, and the one behind its last row."""
        with self._lock:
            if end is not None:
                self._stamp(min(end, now))
            inside = [
                row.sequence
                for row in self._feed
                if (start is None or row.timestamp >= start) and (end is None or row.timestamp < end)
            ]
        if inside:
            return inside[0], inside[-1] + 1
        behind = 1 + sum(1 for row in self._feed if start is not None and row.timestamp < start)
        return behind, behind

    def latest_sequence(self) -> int:
        """Return the highest sequence of the feed; 0 when it is empty."""
        return len(self._feed)

    def due_erasures(self, *, now: float, limit: int) -> list[Erasure]:
        """Return erasures that are due, oldest first."""
        with self._lock:
            due = [erasure for erasure in self._erasures if erasure.due_at <= now]
        return sorted(due, key=lambda erasure: (erasure.due_at, erasure.erasure_key))[:limit]

    def forget_erasures(self, erasure_keys: Sequence[int], *, shrunk: Sequence[BlobPosition] = ()) -> None:
        """Drop erasures that were carried out; `shrunk` are the fills of containers that they left shorter or gone."""
        with self._lock:
            self._erasures = [one for one in self._erasures if one.erasure_key not in erasure_keys]
            for position in shrunk:
                known = self._positions.pop(position.container, 0)
                if known and position.length:
                    self._positions[position.container] = min(known, position.length)

    def positions(self) -> dict[int, int]:
        """Return the recorded fill of each container."""
        return dict(self._positions)

    def addresses(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, InstanceIdentifier, BlobAddress]]:
        """Return key, identifier and address of every stored version in order of keys."""
        rows = [(one.key, one.new.identifier, one.new.address) for one in self._versions() if one.key > after]
        return rows[:limit]

    def totals(self) -> Totals:
        """Return what is stored."""
        with self._lock:
            return Totals(
                studies=len(self._studies),
                series=sum(len(study.series) for study in self._studies.values()),
                instances=sum(1 for _ in self._everything()),
                size_bytes=sum(version.new.address.length for version in self._versions()),
            )


def _present(new: NewInstance, wanted: Sequence[int]) -> dict[int, str]:
    return {tag: new.attributes[tag] for tag in wanted if new.attributes.get(tag)}


def _instance_attributes(new: NewInstance) -> dict[int, str]:
    return _present(new, _INSTANCE_TAGS) | {
        BY_KEYWORD["SOPInstanceUID"].tag: new.identifier.sop_instance_uid,
        BY_KEYWORD["SOPClassUID"].tag: new.sop_class_uid,
    }


def _integer(version: Version, tag: int) -> int | None:
    return integer_of(version.attributes.get(tag))


def _original_row(version: Version) -> InstanceRow:
    return _row(Instance(version))


def _row(instance: Instance) -> InstanceRow:
    version = instance.current
    new = version.new
    return InstanceRow(
        instance_key=version.key,
        identifier=new.identifier,
        sop_class_uid=new.sop_class_uid,
        transfer_syntax_uid=new.transfer_syntax_uid,
        instance_number=_integer(version, _INSTANCE_NUMBER),
        number_of_frames=_integer(version, _NUMBER_OF_FRAMES),
        address=new.address,
        header_length=new.header_length,
        received_at=new.received_at,
        has_original=instance.original is not None,
        source=new.source,
    )
