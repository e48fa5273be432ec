"""Instances on their way out: where their bytes come from, how they are batched, what the service said of each."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from isocenter.dicom.scan import scan_instance
from isocenter.dicomweb.codec.multipart import encode_closing, encode_part_header
from isocenter.domain.errors import InvalidDataset

READ_SIZE_BYTES = 1024 * 1024
"""One read and one write to the socket; smaller ones cost a call each, larger ones memory."""
BATCH_SIZE_BYTES = 64 * 1024 * 1024
"""One request: long enough that its round trip does not count, short enough to be sent again."""
BATCH_INSTANCES_MAX = 500

_PROCESSING_FAILURE = 0x0110
_SOP_INSTANCE_UID = 0x00080018
_DICOM = "application/dicom"


@dataclass(frozen=True, slots=True)
class InstanceSource:
    """An instance to be sent."""

    name: str
    size_bytes: int
    read: Callable[[], Iterator[bytes | memoryview]]
    """Return its bytes from the start, exactly `size_bytes` of them."""
    sop_instance_uid: str | None = None
    """What the service's answer will call it; None where it cannot be told."""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """What the service said of one instance."""

    source: InstanceSource
    failure_reason: int | None = None
    warning_reason: int | None = None
    error_comments: tuple[str, ...] = ()
    retrieve_url: str | None = None
    is_known: bool = True
    """False where the answer does not mention the instance."""
    is_named: bool = False
    """True where it does so by its UID."""
    http_status: int | None = None
    """With which the service refused the instance alone."""

    @property
    def is_stored(self) -> bool:
        """Tell whether the service has it."""
        return self.is_known and self.failure_reason is None


def file_source(path: Path) -> InstanceSource:
    """Return a file as a source."""

    def read() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(READ_SIZE_BYTES):
                yield chunk

    return InstanceSource(str(path), path.stat().st_size, read, _read_sop_instance_uid(path))


def _read_sop_instance_uid(path: Path) -> str | None:
    """Return what a file says it is, without reading its pixels from disk."""
    with path.open("rb") as file:
        try:
            # Not closed by hand: an error on its way out still holds views of it. It goes with the last of them.
            content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
            scanned = scan_instance(content, wanted=frozenset({_SOP_INSTANCE_UID}))
        except (InvalidDataset, ValueError):  # a file of no bytes cannot be mapped
            return None
    return scanned.attributes.get(_SOP_INSTANCE_UID)


def batches(sources: Iterable[InstanceSource], size_bytes: int = BATCH_SIZE_BYTES) -> Iterator[list[InstanceSource]]:
    """Yield the sources in groups for one request each; a large one goes alone."""
    batch: list[InstanceSource] = []
    total = 0
    for source in sources:
        if batch and (total + source.size_bytes > size_bytes or len(batch) == BATCH_INSTANCES_MAX):
            yield batch
            batch, total = [], 0
        batch.append(source)
        total += source.size_bytes
    if batch:
        yield batch


class Meter:
    """Count the bytes of one request, so that they can be taken back."""

    def __init__(self, on_sent: Callable[[int], None]) -> None:
        self._on_sent = on_sent
        self._size_bytes = 0

    def count(self, size_bytes: int) -> None:
        """Tell of bytes that went out."""
        self._size_bytes += size_bytes
        self._on_sent(size_bytes)

    def take_back(self) -> None:
        """Tell that the bytes so far will go out again."""
        self._on_sent(-self._size_bytes)
        self._size_bytes = 0


def body_length(batch: Sequence[InstanceSource], boundary: str) -> int:
    """Return the length of the multipart body of a batch."""
    headers = sum(len(_header(boundary, position)) for position in range(len(batch)))
    return headers + sum(source.size_bytes for source in batch) + len(encode_closing(boundary))


def iter_body(batch: Sequence[InstanceSource], boundary: str, on_sent: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the multipart body of a batch in pieces of about a megabyte, small instances gathered."""
    waiting: list[bytes | memoryview] = []
    size_bytes = 0
    for piece in _pieces(batch, boundary):
        if waiting and size_bytes + len(piece) > READ_SIZE_BYTES:
            yield b"".join(waiting)
            on_sent(size_bytes)
            waiting, size_bytes = [], 0
        waiting.append(piece)
        size_bytes += len(piece)
    yield b"".join(waiting)
    on_sent(size_bytes)


def _pieces(batch: Sequence[InstanceSource], boundary: str) -> Iterator[bytes | memoryview]:
    for position, source in enumerate(batch):
        yield _header(boundary, position)
        yield from source.read()
    yield encode_closing(boundary)


def _header(boundary: str, position: int) -> bytes:
    return encode_part_header(boundary, _DICOM, is_first=position == 0)


def match_answer(batch: Sequence[InstanceSource], answer: dict[str, Any]) -> list[StoreResult]:
    """Return what an answer says of each source of a batch (PS3.18 10.5.3.1).

    Items carry SOP Instance UIDs; an item without one is taken to mean the next source that has none or is not named.
    """
    items: dict[str | None, deque[dict[str, Any]]] = defaultdict(deque)
    for tag in ("00081199", "00081198"):
        for item in _values(answer, tag):
            named = _first(item, "00081155")
            items[named if isinstance(named, str) else None].append(item)
    nameless = items.pop(None, deque())
    found = [_next(items, source.sop_instance_uid) for source in batch]
    return [
        _result(source, item if item is not None else (nameless.popleft() if nameless else None))
        for source, item in zip(batch, found, strict=True)
    ]


def _next(items: dict[str | None, deque[dict[str, Any]]], sop_instance_uid: str | None) -> dict[str, Any] | None:
    queue = items.get(sop_instance_uid)
    return queue.popleft() if queue else None


def _result(source: InstanceSource, item: dict[str, Any] | None) -> StoreResult:
    if item is None:
        return StoreResult(source, is_known=False)
    comments = (_first(each, "00000902") for each in _values(item, "00741048"))
    return StoreResult(
        source,
        failure_reason=_number(item, "00081197"),
        warning_reason=_number(item, "00081196"),
        error_comments=tuple(str(comment) for comment in comments if comment),
        retrieve_url=_first(item, "00081190"),
        is_named=source.sop_instance_uid is not None and _first(item, "00081155") == source.sop_instance_uid,
    )


def _number(dataset: Any, tag: str) -> int | None:
    """Return a reason; one that is none of the sort is a failure all the same, which the standard leaves open."""
    value = _first(dataset, tag)
    return value if value is None or (isinstance(value, int) and 0 <= value <= 0xFFFF) else _PROCESSING_FAILURE


def _values(dataset: Any, tag: str) -> list[Any]:
    element = dataset.get(tag) if isinstance(dataset, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _first(dataset: Any, tag: str) -> Any:
    values = _values(dataset, tag)
    return values[0] if values else None
