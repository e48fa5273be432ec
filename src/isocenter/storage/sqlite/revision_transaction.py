"""What a transaction does with revisions: stage a version, let go of some, make all of a revision current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from isocenter.domain.errors import Conflict
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.index import Membership, NewInstance
from isocenter.storage.sqlite.connections import Row, fetch
from isocenter.storage.sqlite.intake import StoreTransaction
from isocenter.storage.sqlite.ledger_transaction import Deliverable, Heir
from isocenter.storage.sqlite.partition_key import partition_key_of
from isocenter.storage.sqlite.recollection import Counters
from isocenter.storage.sqlite.removal import RemovalTransaction
from isocenter.storage.sqlite.writing import Writing

TARGET_EXISTS = "Instances are stored already under the identifiers that are to be given."


@dataclass(frozen=True, slots=True)
class _Staged:
    staged_key: int
    replaced_key: int | None
    new: NewInstance


def stage(
    connection: apsw.Connection,
    queries: Mapping[str, str],
    counters: Counters,
    new: NewInstance,
    membership: Membership,
    *,
    erase_due_at: float,
) -> int:
    """Keep a version until its revision is concluded, in the place of an earlier try; return its key."""
    address = new.address
    earlier = fetch(connection, queries["staged_place"], (membership.revision_id, membership.replaced_key))
    for staged_key, _, container, offset, *_ in earlier:
        if (container, offset) == (address.container, address.offset):  # a start that was cut short did this already
            return int(staged_key)
    let_go(connection, queries, counters, earlier, erase_due_at=erase_due_at)
    place = (address.container, address.offset, address.length, address.block_digests)
    row = (membership.revision_id, membership.replaced_key, _encode(new), *place, new.frame_table)
    return int(connection.execute(queries["stage_version"], row).get)


def let_go(
    connection: apsw.Connection,
    queries: Mapping[str, str],
    counters: Counters,
    places: Sequence[Row],
    *,
    erase_due_at: float,
) -> None:
    """Forget staged versions, and note that their bytes are to be destroyed; rows as `staged_places` has them."""
    for staged_key, _, *place in places:
        counters.erasure_key += 1
        connection.execute(queries["insert_erasure"], (counters.erasure_key, *place, erase_due_at))
        connection.execute(queries["forget_staged"], (staged_key,))


def conclude(writing: Writing, revision_id: str, *, scope: Scope | None, vacant: Scope | None) -> int | None:
    """Make current what is staged of a revision; None, with nothing changed, where it is not all of a scope."""
    connection, queries = writing.connection, writing.queries
    found = [_decode(row) for row in fetch(connection, queries["staged_versions"], (revision_id,))]
    if not found and scope is None:
        return None
    if scope is not None and {one.replaced_key for one in found} != _keys_in(writing, scope):
        return None
    if vacant is not None and _keys_in(writing, vacant):
        raise Conflict(TARGET_EXISTS)
    count = _Conclusion(writing).carry_out(found)
    connection.execute(queries["conclude_revision"], (revision_id, count))
    return count


def _keys_in(writing: Writing, scope: Scope) -> set[int]:
    bindings = {
        "partition_name": scope.partition_name,
        "study_instance_uid": scope.study_instance_uid,
        "series_instance_uid": scope.series_instance_uid,
        "sop_instance_uid": scope.sop_instance_uid,
    }
    return {key for (key,) in fetch(writing.connection, writing.queries["current_keys"], bindings)}


class _Conclusion:
    """Versions that become current in one transaction: new rows first, then what they left behind."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._connection, self._queries = writing.connection, writing.queries
        self._store = StoreTransaction(writing)
        self._removal = RemovalTransaction(writing)

    def carry_out(self, found: Sequence[_Staged]) -> int:
        """Make versions current, those at other places once what they are made from is out of the way."""
        for one in found:
            self._connection.execute(self._queries["forget_staged"], (one.staged_key,))
        standing = [one for one in found if not self._has_gone(one)]
        heirs = {one.staged_key: self._heirs(one) for one in standing if self._is_moved(one)}
        kept = {one.staged_key: self._take_out(one) for one in standing if self._is_moved(one)}
        keys = {one.staged_key: self._store.add(one.new) for one in standing}
        self._store.write()
        for staged_key, original_key in kept.items():
            places = {"current_key": keys[staged_key], "original_key": original_key}
            self._connection.execute(self._queries["move_original"], places)
            self._connection.execute(self._queries["note_original"], (keys[staged_key],))
        if kept:
            self._removal.tidy()
        for one in standing:
            self._begin(keys[one.staged_key], one.new, heirs.get(one.staged_key, ()))
        return len(standing)

    def _heirs(self, staged: _Staged) -> list[Heir]:
        """Return the deliveries that go on under other identifiers; under the same ones the store sees to it."""
        key = staged.replaced_key
        return [] if key is None else self._writing.ledger.supersede(key, staged.new.deliveries)

    def _begin(self, key: int, new: NewInstance, heirs: Sequence[Heir]) -> None:
        if heirs:
            name, now = new.identifier.partition_name, self._writing.now
            partition_key = partition_key_of(self._connection, self._queries, name, now=now)
            self._writing.ledger.begin(Deliverable(key, partition_key, new.address.length, new.identifier), (), heirs)

    def _has_gone(self, staged: _Staged) -> bool:
        """Let go of a version whose source was deleted or replaced meanwhile."""
        if staged.replaced_key is None or self._identifier(staged.replaced_key) is not None:
            return False
        address = staged.new.address
        self._writing.counters.erasure_key += 1
        place = (address.container, address.offset, address.length, address.block_digests)
        row = (self._writing.counters.erasure_key, *place, self._writing.erase_due_at)
        self._connection.execute(self._queries["insert_erasure"], row)
        return True

    def _is_moved(self, staged: _Staged) -> bool:
        key = staged.replaced_key
        return key is not None and self._identifier(key) != staged.new.identifier

    def _take_out(self, staged: _Staged) -> int:
        one = staged.new.identifier
        place = Scope(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid, one.partition_name)
        if staged.replaced_key is None or _keys_in(self._writing, place):
            raise Conflict(TARGET_EXISTS)
        bindings = {
            "study_instance_uid": one.study_instance_uid,
            "now": self._writing.now,
            "instance_key": staged.replaced_key,
        }
        self._connection.execute(self._queries["copy_external_values"], bindings)
        return self._removal.take_out(staged.replaced_key)

    def _identifier(self, key: int) -> InstanceIdentifier | None:
        rows = fetch(self._connection, self._queries["instance"], (key,))
        return InstanceIdentifier(*rows[0][2:6]) if rows else None


_DESCRIBED = (
    "sop_class_uid",
    "transfer_syntax_uid",
    "header_length",
    "received_at",
    "source",
    "invalid_paths",
    "query_tag_keys",
)


def _encode(new: NewInstance) -> bytes:
    identifier = new.identifier
    fields: dict[str, Any] = {name: getattr(new, name) for name in _DESCRIBED}
    fields["identifier"] = [
        identifier.study_instance_uid,
        identifier.series_instance_uid,
        identifier.sop_instance_uid,
        identifier.partition_name,
    ]
    fields["attributes"] = list(new.attributes.items())
    fields["query_tag_values"] = list(new.query_tag_values.items())
    return orjson.dumps(fields)


def _decode(row: Row) -> _Staged:
    staged_key, replaced_key, description, container, offset, length, digests, frame_table = row
    fields: dict[str, Any] = orjson.loads(description)
    new = NewInstance(
        identifier=InstanceIdentifier(*fields.pop("identifier")),
        attributes={int(tag): str(value) for tag, value in fields.pop("attributes")},
        address=BlobAddress(container, offset, length, digests),
        frame_table=frame_table,
        invalid_paths=tuple(fields.pop("invalid_paths")),
        query_tag_keys=tuple(fields.pop("query_tag_keys")),
        query_tag_values={int(key): str(value) for key, value in fields.pop("query_tag_values")},
        keep_previous=True,
        **fields,
    )
    return _Staged(staged_key, replaced_key, new)
