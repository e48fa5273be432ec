"""The promises, held against a running node and against the files that it left.

Over HTTP: what is listed can be retrieved whole, its bytes are what was sent under that identity, and what was
acknowledged is there. In the files: the feed has no gap and tells the life of every instance without contradiction,
the index knows what the packs hold, and an index built anew from the packs names the same instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from isocenter.app.settings import Settings, load_settings
from isocenter.app.wiring import INDEX_FILE, open_stores
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobPosition
from isocenter.ports.index import Change, ChangeAction, InstanceIndex
from tests.durability.client import Client
from tests.durability.history import History, Violated
from tests.durability.nursery import Archive, Nursery
from tests.support.dicomweb import ANY_DICOM, JSON, parts
from tests.support.small_instances import digest_of

PAGE_COUNT = 1000


def check_node(dicomweb_url: str, history: History) -> None:
    """Hold everything that a node shows against the history, reading every byte of it."""
    with Client(dicomweb_url, history) as client:
        present: list[InstanceIdentifier] = []
        for study_instance_uid, listed_count in _studies(client):
            present += _check_study(client, history, study_instance_uid, listed_count)
        history.observe_absent(present)
        for identifier in set(history.identifiers()) - set(present):
            client.check(identifier)
        for identifier in present[:: max(1, len(present) // 10)]:
            _check_views(client, history, identifier)


def _studies(client: Client) -> Iterator[tuple[str, int]]:
    for row in _rows(client, "/studies"):
        yield _value(row, "0020000D"), _value(row, "00201208")


def _rows(client: Client, path: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        answer = client.get(f"{path}?limit={PAGE_COUNT}&offset={offset}", JSON)
        if answer.status_code == 204:
            return
        assert answer.status_code == 200, answer.text
        yield from answer.json()
        offset += PAGE_COUNT


def _value(row: dict[str, Any], tag: str) -> Any:
    return row[tag]["Value"][0]


def _check_study(
    client: Client, history: History, study_instance_uid: str, listed_count: int
) -> list[InstanceIdentifier]:
    path = f"/studies/{study_instance_uid}"
    listed = sorted(_value(row, "00080018") for row in _rows(client, f"{path}/instances"))
    answer = client.get(path, ANY_DICOM)
    assert answer.status_code == 200, answer.text[:500]
    found = {}
    for part in parts(answer):
        digest = digest_of(part.content)
        identifier = history.identifier_of(digest)
        history.observe(identifier, digest)
        found[identifier] = digest
    retrieved = sorted(identifier.sop_instance_uid for identifier in found)
    if listed != retrieved:
        raise Violated(f"listed are {len(listed)} instances, retrieved {len(retrieved)}")
    if listed_count != len(listed):
        raise Violated(f"the study counts {listed_count} instances and lists {len(listed)}")
    return list(found)


def _check_views(client: Client, history: History, identifier: InstanceIdentifier) -> None:
    """Hold metadata and frame of an instance against its bytes."""
    client.check(identifier)
    metadata = client.metadata(identifier)
    assert metadata is not None
    assert _value(metadata, "00080018") == identifier.sop_instance_uid
    frame = client.read_frame(identifier)
    assert frame is not None
    assert digest_of(frame) == history.frame_digest(identifier)


def settings_of(archive: Archive) -> Settings:
    """Return the settings with which a node runs on an archive."""
    return load_settings({"data_dir": str(archive.data_dir), **archive.settings}, {}, None)


def check_files(archive: Archive, history: History) -> list[Change]:
    """Hold the files of a node that does not run against the history; return the whole feed."""
    settings, expected = settings_of(archive), history.settled()
    with open_stores(settings) as (index, blobs):
        changes = list(_changes(index))
        present = _replay(changes)
        if present != expected.keys():
            raise Violated("the feed ends with other instances than the archive holds")
        stored = _current(index)
        assert stored.keys() == present
        for identifier, address in stored.items():
            if digest_of(blobs.read(address)) != expected[identifier]:
                raise Violated(f"{identifier.sop_instance_uid} has other bytes on disk")
        totals = index.totals()
        assert totals.instances == len(stored)
        assert totals.studies == len({identifier.study_instance_uid for identifier in stored})
        known = index.positions()
        for position in blobs.positions():
            tail = BlobPosition(position.container, known.get(position.container, 0))
            left = [record for record in blobs.iter_records(after=tail) if record.position.container == tail.container]
            assert not left, "an instance is left behind the index after a clean end"
    _check_integrity(settings.storage.index_dir / INDEX_FILE)
    return changes


def _changes(index: InstanceIndex) -> Iterator[Change]:
    after = 0
    while page := index.changes(after=after, limit=PAGE_COUNT):
        yield from page
        after = page[-1].sequence


def _replay(changes: list[Change]) -> set[InstanceIdentifier]:
    """Walk the feed: no gap, and one Create for each life of an instance (R5)."""
    present: set[InstanceIdentifier] = set()
    for expected, change in enumerate(changes, start=1):
        if change.sequence != expected:
            raise Violated(f"the feed has {change.sequence} where {expected} is due")
        if (change.action is ChangeAction.CREATE) == (change.identifier in present):
            raise Violated(f"the feed has {change.action.value} of {change.identifier.sop_instance_uid} out of order")
        if change.action is ChangeAction.DELETE:
            present.remove(change.identifier)
        else:
            present.add(change.identifier)
    return present


def _current(index: InstanceIndex) -> dict[InstanceIdentifier, Any]:
    """Return the address of every current version; the latest key is the current one."""
    found: dict[InstanceIdentifier, Any] = {}
    after = 0
    while page := index.addresses(after=after, limit=PAGE_COUNT):
        found.update({identifier: address for _, identifier, address in page})
        after = page[-1][0]
    return found


def _check_integrity(path: Path) -> None:
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()


def check_reindex(nursery: Nursery, archive: Archive, history: History) -> None:
    """Rebuild the index from the packs: the same instances with the same bytes must come out of it."""
    if nursery.run(archive, "reindex") != 0:
        raise Violated(f"reindex finds damage:\n{archive.log()}")
    with open_stores(settings_of(archive)) as (index, blobs):
        stored = {identifier: digest_of(blobs.read(address)) for identifier, address in _current(index).items()}
    expected = history.settled()
    if stored != expected:
        surplus = [one.sop_instance_uid for one in stored.keys() - expected.keys()]
        missing = [one.sop_instance_uid for one in expected.keys() - stored.keys()]
        raise Violated(f"reindex brings back {surplus}, loses {missing}, or changes bytes")
