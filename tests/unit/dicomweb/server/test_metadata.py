"""Metadata of series and studies: given again as it was given, streamed where it is long, compressed where asked."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson
import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.dicomweb.server import metadata
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.storage.memory import MemoryBlobStore
from tests.support.asgi_call import Answer, ask
from tests.support.dicom_files import element, file_of
from tests.support.instances import CT_IMAGE_STORAGE, identify, scope_of
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

SLICES = 30
ENCODINGS = ["gzip", "identity"]
ROOTS = ["/dicom-web", "/v2", "/v1"]


@dataclass
class CountingBlobs(MemoryBlobStore):
    """A store that knows how often it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, *args: object, **options: object) -> bytes:
        self.reads += 1
        return super().read(*args, **options)  # type: ignore[arg-type]


Ask = Callable[..., Answer]


@pytest.fixture
def blobs() -> CountingBlobs:
    return CountingBlobs()


@pytest.fixture
def archive(blobs: CountingBlobs) -> Iterator[Archive]:
    with memory_archive(blobs=blobs) as archive:
        for number in range(1, SLICES + 1):
            store(archive, make_instance(identify(1, 1, number), seed=number).content)
        yield archive


@pytest.fixture
def read(archive: Archive) -> Iterator[Ask]:
    with ThreadPoolExecutor(2) as executor:
        service = Service(archive, executor, lambda headers: LOCAL_OWNER)

        def ask_for(root: str = "/dicom-web", *, depth: int = 2, **headers: str) -> Answer:
            scope = scope_of(identify(1), depth=depth)
            path = f"{root}/studies/{scope.study_instance_uid}"
            path += f"/series/{scope.series_instance_uid}" if depth > 1 else ""
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            application = DicomwebApplication(service, root_path=root)
            return ask(application, "GET", f"{path}/metadata", headers={"accept": "application/dicom+json", **given})

        yield ask_for


def _plain(answer: Answer) -> bytes:
    assert answer.status == 200, answer.body
    return gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body


def _numbers(answer: Answer) -> list[int]:
    return [one["00200013"]["Value"][0] for one in orjson.loads(_plain(answer))]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_second_caller_gets_the_same_without_a_look_at_the_instances(
    read: Ask, archive: Archive, root: str, encoding: str, depth: int
) -> None:
    first = read(root, depth=depth, accept_encoding=encoding)
    archive.metadata_cache.__init__()  # type: ignore[misc]  # forget the texts of instances
    archive.blobs.reads = 0  # type: ignore[attr-defined]
    second = read(root, depth=depth, accept_encoding=encoding)
    assert (second.body, second.headers["etag"]) == (first.body, first.headers["etag"])
    assert _numbers(second) == list(range(1, SLICES + 1))
    assert archive.blobs.reads == 0  # type: ignore[attr-defined]


def test_callers_of_different_addresses_encodings_and_roots_get_what_is_theirs(read: Ask) -> None:
    for _ in range(2):
        for root in ROOTS:
            for host in ("one.example", "two.example:8080"):
                bodies = [_plain(read(root, host=host, accept_encoding=encoding)) for encoding in ENCODINGS]
                assert bodies[0] == bodies[1]
                assert (f"http://{host}/dicom-web/studies".encode() in bodies[0]) == (root == "/dicom-web")
                assert b"\\u0001" not in bodies[0]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_stored_replaced_or_deleted_is_seen_at_once(read: Ask, archive: Archive, encoding: str) -> None:
    seen = []
    for change in (
        lambda: store(archive, make_instance(identify(1, 1, 99), seed=99).content),
        lambda: store(archive, make_instance(identify(1, 1, 3), seed=77).content, policy=DuplicatePolicy.REPLACE),
        lambda: delete(archive, LOCAL_OWNER, scope_of(identify(1, 1, 99))),
        lambda: delete(archive, LOCAL_OWNER, scope_of(identify(1, 1, 1))),
    ):
        before = read(accept_encoding=encoding)
        change()
        after = read(accept_encoding=encoding)
        assert after.headers["etag"] != before.headers["etag"]
        assert _plain(read(accept_encoding=encoding, if_none_match=before.headers["etag"])) == _plain(after)
        seen.append(sorted(_numbers(after)))
    everything = set(range(1, SLICES + 1))
    assert seen == [
        sorted(everything | {99}),
        sorted(everything - {3} | {77, 99}),
        sorted(everything - {3} | {77}),
        sorted(everything - {1, 3} | {77}),
    ]


def test_the_original_is_not_taken_for_what_is_there_now(read: Ask, archive: Archive) -> None:
    store(archive, make_instance(identify(1, 1, 1), seed=50).content, policy=DuplicatePolicy.KEEP)
    for _ in range(2):
        assert 50 in _numbers(read("/v2"))
        assert 50 not in _numbers(read("/v2", msdicom_request_original="true"))


def test_whoever_has_it_gets_nothing(read: Ask) -> None:
    for root in ("/dicom-web", "/v2"):
        tag = read(root).headers["etag"]
        again = read(root, if_none_match=tag)
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_long_answer_is_sent_while_it_is_made_and_not_kept(
    read: Ask, archive: Archive, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    whole = _plain(read("/v2", accept_encoding="identity"))
    archive.metadata_answers.__init__(size_max_bytes=400, largest_share=4)  # type: ignore[misc]
    monkeypatch.setattr(metadata, "CHUNK_BYTES", 1500)
    monkeypatch.setattr(metadata, "WHOLE_MAX_BYTES", 2000 if encoding == "identity" else 10)
    for _ in range(2):
        archive.metadata_cache.__init__()  # type: ignore[misc]
        archive.blobs.reads = 0  # type: ignore[attr-defined]
        answer = read("/v2", accept_encoding=encoding)
        assert _plain(answer) == whole
        assert "content-length" not in answer.headers
        assert answer.largest_message_bytes < len(whole) / 3
        assert archive.blobs.reads == SLICES  # type: ignore[attr-defined]


def test_a_short_answer_is_not_compressed(archive: Archive, read: Ask) -> None:
    identifier = identify(1)
    delete(archive, LOCAL_OWNER, scope_of(identifier, depth=1))
    uids = {
        0x00080016: CT_IMAGE_STORAGE,
        0x00080018: identifier.sop_instance_uid,
        0x0020000D: identifier.study_instance_uid,
        0x0020000E: identifier.series_instance_uid,
    }
    store(
        archive,
        file_of(b"".join(element(tag, "UI", uid.encode() + b"\0" * (len(uid) % 2)) for tag, uid in uids.items())),
    )
    for _ in range(2):
        answer = read(accept_encoding="gzip")
        assert "content-encoding" not in answer.headers
        assert len(orjson.loads(answer.body)) == 1
