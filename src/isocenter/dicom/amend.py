"""Replace or add elements of a stored file where they lie; every other byte stays what it was.

    preamble, meta information   who wrote it, and the SOP instance where that changes; its group length
    data set                     the elements that change, each where its tag belongs; group lengths where there are any
    pixel data                   never looked at, never held: what is to be copied is told as a range of the file

Only a deflated data set has no bytes that could stay: it is inflated, changed and deflated again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from isocenter.dicom.amend_text import Texts, encode_texts
from isocenter.dicom.dataset import Attribute, encode_dataset, text_attribute
from isocenter.dicom.element_span import WalkedDataset
from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import META_OFFSET, OpenedFile, open_file
from isocenter.dicom.walk import Buffer, Element, layout, walk_dataset

UPDATER_CLASS_UID = "1.3.6.1.4.1.311.129"
"""ImplementationClassUID of files that a bulk update wrote (dicom-service 11.2)."""
COPY_CHUNK_BYTES = 1 << 20
"""So much of an inflated data set is deflated at a time."""

_SOP_INSTANCE_UID = 0x00080018
_MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
_WRITER = {
    0x00020012: text_attribute("UI", IMPLEMENTATION_CLASS_UID),
    0x00020013: text_attribute("SH", IMPLEMENTATION_VERSION_NAME),
}
_META_ENCODING = Encoding("", is_implicit_vr=False, is_little_endian=True)


@dataclass(frozen=True, slots=True)
class Copied:
    """A range of the stored file that stays as it is."""

    start: int
    end: int


Piece = bytes | Copied
_Edit = tuple[int, int, int, bytes]
"""Where it begins, where what it takes the place of ends, tag, new bytes; a tuple, because edits are sorted."""


def amend_file(content: Buffer, texts: Texts) -> Iterator[Piece]:
    """Return the pieces of a file with some attributes changed, each given by tag with its VR and its text.

    Several values are joined by backslashes. Text is written in the character set of the data set where that can write
    it, else in one that holds both (`amend_text`). Raises InvalidDataset, before the first piece is asked for.
    """
    opened, dataset = open_dataset(content)
    changes = encode_texts(dataset, texts)
    return _amended(opened, dataset, meta_changes=_meta_changes(texts), changes=changes)


def open_dataset(content: Buffer) -> tuple[OpenedFile, WalkedDataset]:
    """Return a file with where its elements lie, for `amend_elements`. Raises InvalidDataset."""
    opened = open_file(content)
    return opened, _walk(opened.buffer, opened.dataset_offset, len(opened.buffer), opened.encoding)


def amend_elements(
    opened: OpenedFile, dataset: WalkedDataset, changes: Mapping[int, bytes], *, end: int | None = None
) -> Iterator[Piece]:
    """Return the pieces of a file with some elements changed, each given by tag as its bytes; none take it away.

    Neither SOP class and instance nor the transfer syntax may be among them, which the meta information tells too. What
    stands behind `end` is left out.
    """
    return _amended(opened, dataset, meta_changes=_encoded_meta(_WRITER), changes=changes, end=end)


def _amended(
    opened: OpenedFile,
    dataset: WalkedDataset,
    *,
    meta_changes: Mapping[int, bytes],
    changes: Mapping[int, bytes],
    end: int | None = None,
) -> Iterator[Piece]:
    meta = _walk(opened.buffer, META_OFFSET, opened.dataset_offset, _META_ENCODING)
    head = _pieces(meta, meta_changes, start=0, end=opened.dataset_offset)
    pieces = _pieces(dataset, changes, start=opened.dataset_offset, end=len(opened.buffer) if end is None else end)
    return chain(head, _deflated(opened.buffer, pieces) if opened.encoding.is_deflated else pieces)


def _walk(buffer: Buffer, start: int, end: int, encoding: Encoding) -> WalkedDataset:
    walked = walk_dataset(buffer, start, end, encoding=encoding, wanted=None)
    plain = replace(encoding, is_deflated=False, is_implicit_vr=walked.is_implicit_vr)
    return WalkedDataset(buffer, walked.elements, start, walked.end, plain)


def _meta_changes(texts: Texts) -> Mapping[int, bytes]:
    changes = {
        0x00020012: text_attribute("UI", UPDATER_CLASS_UID),
        0x00020013: text_attribute("SH", IMPLEMENTATION_VERSION_NAME),
    }
    if _SOP_INSTANCE_UID in texts:
        changes[_MEDIA_STORAGE_SOP_INSTANCE_UID] = text_attribute("UI", texts[_SOP_INSTANCE_UID][1])
    return _encoded_meta(changes)


def _encoded_meta(changes: Mapping[int, Attribute]) -> Mapping[int, bytes]:
    return {tag: encode_dataset({tag: attribute}, _META_ENCODING) for tag, attribute in changes.items()}


def _pieces(dataset: WalkedDataset, changes: Mapping[int, bytes], *, start: int, end: int) -> list[Piece]:
    """Return what stands between two places around a data set, with encoded elements in the place of others."""
    edits = _edits(dataset, changes)
    edits += _group_lengths(dataset, edits)
    pieces: list[Piece] = []
    position = start
    for first, behind, _, new in sorted(edits):
        pieces += [Copied(position, first), new]
        position = behind
    pieces.append(Copied(position, end))
    return [piece for piece in pieces if not isinstance(piece, Copied) or piece.start < piece.end]


def _edits(dataset: WalkedDataset, changes: Mapping[int, bytes]) -> list[_Edit]:
    edits: list[_Edit] = []
    spans = [(element[0], *dataset.span(element)) for element in dataset.elements]
    left = dict(changes)
    for tag, first, behind in spans:
        if tag in changes:  # a second one of the same tag would tell the old value
            edits.append((first, behind, tag, left.pop(tag, b"")))
    for tag, new in left.items():
        place = next((first for other, first, _ in spans if other > tag), _end_of_elements(dataset, spans))
        edits.append((place, place, tag, new))
    return edits


def _end_of_elements(dataset: WalkedDataset, spans: list[tuple[int, int, int]]) -> int:
    """Return where an element goes that is behind all others: before pixel data, and before padding."""
    return spans[-1][2] if spans else dataset.start


def _group_lengths(dataset: WalkedDataset, edits: Iterable[_Edit]) -> list[_Edit]:
    """Return the edits of the group lengths that no longer fit (PS3.5 7.2, PS3.10 7.1)."""
    gained: dict[int, int] = {}
    for first, behind, tag, new in edits:
        gained[tag >> 16] = gained.get(tag >> 16, 0) + len(new) - (behind - first)
    return [
        _group_length(dataset, element, gained[element[0] >> 16])
        for element in dataset.elements
        if not element[0] & 0xFFFF and element[0] >> 16 in gained and element[3] == 4
    ]


def _group_length(dataset: WalkedDataset, element: Element, gained: int) -> _Edit:
    tag, _, offset, length, _ = element
    behind = offset + length
    group_end = behind
    for one in dataset.elements:
        if one[0] >> 16 == tag >> 16 and one[2] > offset:
            group_end = max(group_end, dataset.span(one)[1])
    number = layout(dataset.encoding.is_little_endian).length.pack(group_end - behind + gained)
    return (offset, behind, tag, number)


def _deflated(inflated: Buffer, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield a data set deflated anew (PS3.5 A.5), padded to an even length."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for piece in pieces:
        for chunk in _chunks(inflated, piece):
            deflated = deflater.compress(chunk)
            length += len(deflated)
            yield deflated
    rest = deflater.flush()
    yield rest + b"\0" * ((length + len(rest)) % 2)


def _chunks(inflated: Buffer, piece: Piece) -> Iterator[bytes]:
    if isinstance(piece, bytes):
        yield piece
        return
    bounds = [*range(piece.start, piece.end, COPY_CHUNK_BYTES), piece.end]
    for first, behind in pairwise(bounds):
        yield bytes(inflated[first:behind])
