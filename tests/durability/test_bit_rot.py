"""Bits that flip on the disk never reach a reader, and the scrub names every instance that they hit (R11)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.app.wiring import open_stores
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress
from tests.durability.checks import check_node, settings_of
from tests.durability.client import AS_STORED, Client, NodeGone, path_of
from tests.durability.conftest import FAST_ERASURE
from tests.durability.history import History
from tests.durability.nursery import Archive, Nursery
from tests.durability.test_random_kills import SEED_VARIABLE, seed_of_run
from tests.support.dicomweb import ANY_DICOM, ANY_FRAMES, JSON, parts
from tests.support.instances import identify
from tests.support.small_instances import SmallInstance, make_instance

SETTINGS = {**FAST_ERASURE, "archive.duplicate_policy": "refuse"}
HEALTHY, DAMAGED = 8, 20
SIZES_BYTES = (2_000, 60_000, 300_000, 2_500_000)
"""Of one block and of many; through the log and through a spool; read whole and streamed."""
SERVER_ERROR = 500
VIEWS = (
    ("", AS_STORED),
    ("", ANY_DICOM),
    ("/metadata", JSON),
    ("/frames/1", ANY_FRAMES),
    ("/bulkdata/7FE00010", "*/*"),
    ("/rendered", "image/png"),
    ("/thumbnail", "image/jpeg"),
)

Place = Callable[[random.Random, SmallInstance, BlobAddress], int]
"""Returns where in a pack a bit flips."""


def in_the_record_header(numbers: random.Random, instance: SmallInstance, address: BlobAddress) -> int:
    return address.offset - 1 - numbers.randrange(64)


def in_the_dataset(numbers: random.Random, instance: SmallInstance, address: BlobAddress) -> int:
    return address.offset + numbers.randrange(instance.pixel_offset)


def in_the_frame(numbers: random.Random, instance: SmallInstance, address: BlobAddress) -> int:
    return address.offset + numbers.randrange(instance.pixel_offset, len(instance.content))


def in_the_last_byte(numbers: random.Random, instance: SmallInstance, address: BlobAddress) -> int:
    return address.offset + address.length - 1


PLACES: tuple[Place, ...] = (in_the_dataset, in_the_frame, in_the_last_byte, in_the_record_header)


@dataclass(frozen=True, slots=True)
class Rotten:
    """An archive with instances whose bits were flipped."""

    archive: Archive
    history: History
    views: dict[tuple[str, str], bytes]
    """What each view of each instance answered before."""
    instances: dict[InstanceIdentifier, SmallInstance]
    damaged: frozenset[InstanceIdentifier]
    unreadable: frozenset[InstanceIdentifier]
    """Those whose own bytes are damaged, not only what stands before them."""


@pytest.fixture
def rotten(nursery: Nursery, tmp_path: Path) -> Rotten:
    """Store instances, note what they look like, and flip a bit in some of them while the node is down."""
    archive, history = Archive(tmp_path / "data", SETTINGS), History()
    seed = seed_of_run()
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - shown with a failure, so that the same bits can be flipped again
    numbers = random.Random(seed)
    instances = [
        make_instance(identify(1 + number % 3, 1, number), seed=seed, size_bytes=SIZES_BYTES[number % 4])
        for number in range(1, HEALTHY + DAMAGED + 1)
    ]
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history, policy="refuse") as client:
        for instance in instances:
            assert client.store([instance]).acknowledged
        views = {
            (path_of(instance.identifier) + view, accept): content_of(
                client, path_of(instance.identifier) + view, accept
            )
            for instance in instances
            for view, accept in VIEWS
        }
        node.stop()
    assert None not in views.values()
    with open_stores(settings_of(archive)) as (index, _):
        addresses = {identifier: address for _, identifier, address in index.addresses()}
    unreadable = set()
    for number, instance in enumerate(instances[:DAMAGED]):
        place = PLACES[number // 4 % len(PLACES)]
        address = addresses[instance.identifier]
        flip(pack_of(archive, address), place(numbers, instance, address), numbers.randrange(8))
        if place is not in_the_record_header:
            unreadable.add(instance.identifier)
    return Rotten(
        archive,
        history,
        {view: content for view, content in views.items() if content is not None},
        {instance.identifier: instance for instance in instances},
        frozenset(instance.identifier for instance in instances[:DAMAGED]),
        frozenset(unreadable),
    )


def pack_of(archive: Archive, address: BlobAddress) -> Path:
    return archive.data_dir / "packs" / f"{address.container:08d}.pack"


def flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def content_of(client: Client, path: str, accept: str) -> bytes | None:
    """Return what a view shows, None where the node says that it is broken or ends the connection."""
    try:
        answer = client.get(path, accept)
    except NodeGone:
        return None
    if answer.status_code >= SERVER_ERROR:
        return None
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:200]}"
    if answer.headers["content-type"].startswith("multipart/"):
        return b"".join(part.content for part in parts(answer))
    return answer.content.replace(client.base_url.encode(), b"")


def test_no_view_ever_shows_a_flipped_bit(nursery: Nursery, rotten: Rotten) -> None:
    hidden = 0
    with nursery.serving(rotten.archive) as node, Client(node.dicomweb_url, rotten.history) as client:
        for (path, accept), before in rotten.views.items():
            now = content_of(client, path, accept)
            assert now in (None, before), f"{path} shows other bytes than before"
            hidden += now is None
        for identifier in rotten.instances.keys() - rotten.unreadable:
            client.check(identifier)
        for identifier in rotten.unreadable:
            assert content_of(client, path_of(identifier), AS_STORED) is None
        for study in {identifier.study_instance_uid for identifier in rotten.unreadable}:
            assert content_of(client, f"/studies/{study}", ANY_DICOM) is None
        assert node.is_ready(), "what is intact is served"
        node.stop()
    assert hidden >= len(rotten.unreadable)


def test_the_scrub_names_every_damaged_instance_and_no_other(nursery: Nursery, rotten: Rotten, tmp_path: Path) -> None:
    output = tmp_path / "scrub.json"
    assert nursery.run(rotten.archive, "scrub", "--json", output_path=output) == 1
    report = json.loads(output.read_text()[output.read_text().index("{") :])
    named = {one["sop_instance_uid"] for one in report["damaged"]}
    assert named == {identifier.sop_instance_uid for identifier in rotten.damaged}
    assert report["damaged_count"] == DAMAGED


def test_storing_the_same_bytes_again_heals_a_damaged_instance_and_other_bytes_do_not(
    nursery: Nursery, rotten: Rotten
) -> None:
    with nursery.serving(rotten.archive) as node:
        with Client(node.dicomweb_url, rotten.history, policy="refuse") as client:
            for identifier in rotten.unreadable:
                sent = rotten.instances[identifier]
                other = make_instance(identifier, seed=7, size_bytes=len(sent.content) - sent.pixel_offset)
                assert not client.store([other]).acknowledged
                assert client.store([sent]).acknowledged == [identifier]
        check_node(node.dicomweb_url, rotten.history)
        node.stop()


def test_a_damaged_instance_spoils_no_other_of_the_same_request(nursery: Nursery, rotten: Rotten) -> None:
    identifier = next(iter(rotten.unreadable))
    other = make_instance(identifier, seed=7)
    fresh = [make_instance(identify(9, 1, number)) for number in range(1, 6)]
    with (
        nursery.serving(rotten.archive) as node,
        Client(node.dicomweb_url, rotten.history, policy="refuse") as client,
    ):
        stored = client.store([*fresh, other])
        assert stored.acknowledged == [instance.identifier for instance in fresh]


def test_a_damaged_pack_header_is_found_and_hides_nothing(nursery: Nursery, archive: Archive) -> None:
    history = History()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([make_instance(identify(1, 1, number)) for number in range(1, 6)]).status == 200
        node.stop()
    flip(archive.data_dir / "packs" / "00000001.pack", 20, 3)
    assert nursery.run(archive, "scrub") == 1
    assert nursery.run(archive, "reindex") == 1, "it says so"
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()


def test_an_intact_archive_passes_the_scrub(nursery: Nursery, archive: Archive) -> None:
    history = History()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([make_instance(identify(1, 1, number)) for number in range(1, 6)]).status == 200
        node.stop()
    assert nursery.run(archive, "scrub") == 0
