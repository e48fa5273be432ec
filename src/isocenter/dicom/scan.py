"""Scan an instance: what the index needs of its bytes, in one walk over the headers.

It must never build a pydicom Dataset, nor touch pixel data: this is the way in of every instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import AMBIGUOUS_VRS, dictionary_vr, resolve_vr
from isocenter.dicom.model import UNDEFINED_LENGTH, PixelElement, ScannedInstance
from isocenter.dicom.part10 import OpenedFile, open_file
from isocenter.dicom.shapes import NOTHING, HeaderShapes, Shape
from isocenter.dicom.text import PLAIN_TEXT_VRS, TEXT_LENGTH_MAX, decode_plain_text, decode_text
from isocenter.dicom.validation_plan import Plan
from isocenter.dicom.walk import Buffer, Element, Items, Walked, walk_dataset
from isocenter.domain.attributes import item_tag
from isocenter.domain.errors import LimitExceeded

_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_EXTENDED_OFFSET_TABLE = 0x7FE00001
_SAMPLES_PER_PIXEL = 0x00280002
_PHOTOMETRIC_INTERPRETATION = 0x00280004
_ROWS = 0x00280010
_COLUMNS = 0x00280011
_BITS_ALLOCATED = 0x00280100
_FRAME_SIZE_TAGS = frozenset({_SAMPLES_PER_PIXEL, _ROWS, _COLUMNS, _BITS_ALLOCATED})
_PIXEL_CONTEXT_TAGS = _FRAME_SIZE_TAGS | {_EXTENDED_OFFSET_TABLE, _PHOTOMETRIC_INTERPRETATION}
_CONTEXT_TAGS = _PIXEL_CONTEXT_TAGS | {_SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION}
_TAG_MAX = 0xFFFFFFFF
ITEMS_MAX = 64
"""Items of a sequence that are told of; a series answers a handful of requests."""
_WANTED_SETS_MAX = 16
"""The index wants one set of tags, and another for each set of extended query tags."""


def scan_instance(buffer: Buffer, *, wanted: frozenset[int], shapes: HeaderShapes | None = None) -> ScannedInstance:
    """Walk the file and return the wanted attributes and where things lie.

    An attribute within the items of a sequence is wanted by its `item_tag`; of sequences within those nothing is told.
    With `shapes`, a header like one that was walked lately is not walked again. Raises InvalidDataset for bytes that
    are no instance, LimitExceeded for those beyond the limits of the parser.
    """
    if shapes is None:
        return scan_opened(open_file(buffer), wanted=wanted)
    shape = shapes.recall(buffer, wanted)
    if shape is not None:
        opened = OpenedFile(buffer, shape.encoding, shape.dataset_offset, len(buffer))
        return _scanned_as(opened, shape, wanted)
    opened = open_file(buffer)
    walked = _walk(opened, wanted)
    scanned = _scanned(opened, walked, wanted)
    shapes.learn(opened, walked, wanted)
    return scanned


@dataclass(frozen=True, slots=True)
class ScannedHeader:
    """A scanned instance with where its elements lie, for those who look at values themselves."""

    scanned: ScannedInstance
    buffer: Buffer
    """What the elements lie in: the file, or what it inflates to."""
    end: int
    """Where the pixel data begins, or everything ends."""
    elements: Sequence[Element]
    """The wanted ones of the data set itself, and those that reading them depends on."""
    everything: Sequence[Element]
    """All of them, where all were taken and no plan is known."""
    plan: Plan | None


def scan_header(
    buffer: Buffer,
    *,
    wanted: frozenset[int],
    shapes: HeaderShapes,
    takes_all: bool,
    located: frozenset[int] = NOTHING,
) -> ScannedHeader:
    """Do as `scan_instance` and return where the elements lie too: with `takes_all`, every one of them.

    Elements of `located` are taken without being read.
    """
    shape = shapes.recall(buffer, wanted, located=located, has_plan=takes_all)
    if shape is not None:
        return _scanned_header(OpenedFile(buffer, shape.encoding, shape.dataset_offset, len(buffer)), shape, wanted)
    opened = open_file(buffer)
    taken = _union(wanted, located)
    walked = _walk(opened, None if takes_all else taken)
    kept = _only(walked, _with_context(taken)) if takes_all else walked
    scanned = _scanned(opened, kept, wanted)
    shapes.learn(opened, kept, wanted, located=located, has_plan=takes_all)
    everything = walked.elements if takes_all else ()
    return ScannedHeader(scanned, opened.buffer, walked.end, kept.elements, everything, None)


def scan_known_header(
    beginning: Buffer,
    *,
    size_bytes: int,
    wanted: frozenset[int],
    shapes: HeaderShapes,
    takes_all: bool,
    located: frozenset[int] = NOTHING,
) -> ScannedHeader | None:
    """Do the same by the first bytes of a file; None where they and the shapes known do not suffice for it."""
    shape = shapes.recall(beginning, wanted, located=located, size_bytes=size_bytes, has_plan=takes_all)
    if shape is None or not _has_defined_pixels(shape):
        return None
    return _scanned_header(OpenedFile(beginning, shape.encoding, shape.dataset_offset, size_bytes), shape, wanted)


def _scanned_header(opened: OpenedFile, shape: Shape, wanted: frozenset[int]) -> ScannedHeader:
    walked = shape.walked
    scanned = _scanned_as(opened, shape, wanted)
    return ScannedHeader(scanned, opened.buffer, walked.end, walked.elements, (), shape.plan)


def _only(walked: Walked, wanted: frozenset[int]) -> Walked:
    return replace(walked, elements=[element for element in walked.elements if element[0] in wanted])


def _has_defined_pixels(shape: Shape) -> bool:
    pixels = shape.walked.pixel_element
    return pixels is not None and pixels.length != UNDEFINED_LENGTH


def scan_beginning(
    beginning: Buffer, *, size_bytes: int, wanted: frozenset[int], shapes: HeaderShapes
) -> ScannedInstance | None:
    """Do the same by the first bytes of a file; None where they and the shapes known do not suffice for it."""
    shape = shapes.recall(beginning, wanted, size_bytes=size_bytes)
    if shape is None or not _has_defined_pixels(shape):
        return None
    return _scanned_as(OpenedFile(beginning, shape.encoding, shape.dataset_offset, size_bytes), shape, wanted)


def scan_opened(opened: OpenedFile, *, wanted: frozenset[int]) -> ScannedInstance:
    """Do the same for a file that is opened already, so that a deflated one is inflated only once."""
    return _scanned(opened, _walk(opened, wanted), wanted)


def _walk(opened: OpenedFile, wanted: frozenset[int] | None) -> Walked:
    buffer = opened.buffer
    taken = None if wanted is None else _with_context(wanted)
    return walk_dataset(buffer, opened.dataset_offset, len(buffer), encoding=opened.encoding, wanted=taken)


def _scanned(opened: OpenedFile, walked: Walked, wanted: frozenset[int]) -> ScannedInstance:
    attributes = _decode(opened.buffer, walked.elements, wanted, opened.encoding.is_little_endian)
    return _scanned_with(attributes, opened, walked)


def _scanned_as(opened: OpenedFile, shape: Shape, wanted: frozenset[int]) -> ScannedInstance:
    """Return what is found in a header of a known shape."""
    attributes, unread = shape.texts.read(opened.buffer)
    if unread:
        attributes |= _decode(opened.buffer, unread, wanted, opened.encoding.is_little_endian)
    return _scanned_with(attributes, opened, shape.walked)


def _scanned_with(attributes: dict[int, str], opened: OpenedFile, walked: Walked) -> ScannedInstance:
    buffer, encoding = opened.buffer, opened.encoding
    if walked.is_implicit_vr != encoding.is_implicit_vr:
        encoding = replace(encoding, is_implicit_vr=walked.is_implicit_vr)
    return ScannedInstance(
        encoding=encoding,
        dataset_offset=opened.dataset_offset,
        header_length=opened.size_bytes if encoding.is_deflated else walked.end,
        attributes=attributes,
        pixel_element=_describe(buffer, walked, encoding.is_little_endian),
        number_of_elements=walked.number_of_elements,
        size_bytes=opened.size_bytes,
    )


@lru_cache(maxsize=_WANTED_SETS_MAX)
def _union(wanted: frozenset[int], located: frozenset[int]) -> frozenset[int]:
    return wanted | located if located else wanted


@lru_cache(maxsize=_WANTED_SETS_MAX)
def _with_context(wanted: frozenset[int]) -> frozenset[int]:
    return frozenset(tag for tag in wanted if tag <= _TAG_MAX) | _CONTEXT_TAGS | frozenset(_wanted_items(wanted))


@lru_cache(maxsize=_WANTED_SETS_MAX)
def _wanted_items(wanted: frozenset[int]) -> Mapping[int, frozenset[int]]:
    """Return what is wanted of the items of sequences, by the sequences' tags."""
    sequences = {tag >> 32 for tag in wanted if tag > _TAG_MAX}
    return {one: frozenset(tag & _TAG_MAX for tag in wanted if tag >> 32 == one) for one in sequences}


def _decode_items(
    buffer: Buffer,
    sequence: int,
    items: Items,
    wanted: frozenset[int],
    is_little_endian: bool,
    character_set: CharacterSet,
) -> dict[int, str]:
    """Return the wanted attributes of items, each as one text with a part for each item."""
    decoded = [_decode(buffer, item, wanted, is_little_endian, character_set) for item in items[:ITEMS_MAX]]
    joined = ((item_tag(sequence, tag), [_one_part(item.get(tag, "")) for item in decoded]) for tag in wanted)
    return {tag: "\\".join(parts) for tag, parts in joined if any(parts)}


def _one_part(text: str) -> str:
    """Return the first value: parts stand for items, so that a part cannot have more."""
    return text.partition("\\")[0]


def _decode(
    buffer: Buffer,
    elements: list[Element],
    wanted: frozenset[int],
    is_little_endian: bool,
    character_set: CharacterSet = DEFAULT_CHARACTER_SET,
) -> dict[int, str]:
    attributes: dict[int, str] = {}
    representation: int | None = None
    of_items = _wanted_items(wanted)
    for tag, coded_vr, offset, length, items in elements:
        if items is not None and tag in of_items:
            attributes |= _decode_items(buffer, tag, items, of_items[tag], is_little_endian, character_set)
            continue
        if length == 0 or (tag not in wanted and tag != _SPECIFIC_CHARACTER_SET):
            continue
        if length > TEXT_LENGTH_MAX:
            raise LimitExceeded(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) is too long for an attribute of the index.")
        vr = coded_vr
        if vr is None or vr == "UN":
            vr = dictionary_vr(tag)
            if vr in AMBIGUOUS_VRS:
                if representation is None:
                    representation = _pixel_representation(buffer, elements, is_little_endian)
                vr = resolve_vr(tag, vr, pixel_representation=representation)
        value = buffer[offset : offset + length]
        if tag == _SPECIFIC_CHARACTER_SET:
            character_set = parse_character_set(bytes(value))
            if tag not in wanted:
                continue
        if vr in PLAIN_TEXT_VRS:
            text = decode_plain_text(value)
        else:
            text = decode_text(
                value, vr, character_set=character_set, is_little_endian=is_little_endian or coded_vr == "UN"
            )
        if text:
            attributes[tag] = text
    return attributes


def _pixel_representation(buffer: Buffer, elements: list[Element], is_little_endian: bool) -> int:
    for tag, _, offset, length, _ in elements:
        if tag == _PIXEL_REPRESENTATION and length >= 2:
            number: int = (_LITTLE if is_little_endian else _BIG).unpack_from(buffer, offset)[0]
            return number
    return 0


def _describe(buffer: Buffer, walked: Walked, is_little_endian: bool) -> PixelElement | None:
    """Return the pixel element with what a frame table needs of the attributes before it."""
    pixels = walked.pixel_element
    if pixels is None:
        return None
    lies = {tag: (offset, length) for tag, _, offset, length, _ in walked.elements if tag in _PIXEL_CONTEXT_TAGS}
    return PixelElement(
        pixels.tag,
        pixels.vr,
        pixels.value_offset,
        pixels.length,
        0 if pixels.length == UNDEFINED_LENGTH else _bits_per_frame(buffer, lies, is_little_endian),
        lies.get(_EXTENDED_OFFSET_TABLE),
    )


def _bits_per_frame(buffer: Buffer, lies: Mapping[int, tuple[int, int]], is_little_endian: bool) -> int:
    bits = samples = 1
    for tag, (offset, length) in lies.items():
        if tag in _FRAME_SIZE_TAGS and length >= 2:
            number = (_LITTLE if is_little_endian else _BIG).unpack_from(buffer, offset)[0]
            if tag == _SAMPLES_PER_PIXEL:
                samples = number
            else:
                bits *= number
    offset, length = lies.get(_PHOTOMETRIC_INTERPRETATION, (0, 0))
    if samples == 3 and b"422" in bytes(buffer[offset : offset + min(length, CODE_STRING_LENGTH_MAX)]):
        samples = 2  # Chrominance is there for every other column (PS3.3 C.7.6.3.1.2).
    is_known = all(tag in lies for tag in (_ROWS, _COLUMNS, _BITS_ALLOCATED))
    return bits * samples if is_known else 0


_LITTLE, _BIG = Struct("<H"), Struct(">H")
CODE_STRING_LENGTH_MAX = 18
"""PS3.5 6.2 has 16; a file may be generous with padding."""
