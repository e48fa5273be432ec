"""What tells the content of an instance from others, whoever wrote the elements around it anew.

Archives rewrite what stands around the pixels: group lengths, file meta information, the basic offset table. So the
pixels are compared by their own bytes: native ones as they are, compressed ones fragment by fragment. An instance
without pixels is compared by its attributes.
"""

from __future__ import annotations

import hashlib
from mmap import ACCESS_READ, mmap
from pathlib import Path

import orjson

from isocenter.dicom.fragments import ITEM_HEADER_LENGTH, walk_fragments
from isocenter.dicom.json import BulkPolicy, dataset_json
from isocenter.dicom.model import UNDEFINED_LENGTH
from isocenter.dicom.part10 import open_file
from isocenter.dicom.scan import scan_opened
from isocenter.domain.errors import InvalidDataset
from isocenter.routing.migration.comparison import InstanceDigest

INLINE_MAX_BYTES = 1 << 40
"""Everything: what is left out of the attributes could differ without being seen."""
_PIECE_BYTES = 1024**2
_CHARACTER_SET = "00080005"
"""Archives may turn texts into another character set; the texts themselves are compared."""


def digest_file(path: Path) -> InstanceDigest:
    """Return the digest of an instance in a file; raises InvalidDataset, OSError."""
    with path.open("rb") as file:
        try:
            # Not closed by hand: an error on its way out still holds views of it. It goes with the last of them.
            return digest(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)))
        except ValueError as error:  # a file of no bytes cannot be mapped
            raise InvalidDataset() from error


def digest(content: memoryview) -> InstanceDigest:
    """Return the digest of an instance; raises InvalidDataset."""
    opened = open_file(content)
    scanned = scan_opened(opened, wanted=frozenset())
    pixels, buffer = scanned.pixel_element, memoryview(opened.buffer)
    if pixels is None:
        return InstanceDigest("no-pixels", _digest_of_attributes(content))
    summed = hashlib.sha256()
    if pixels.length != UNDEFINED_LENGTH:
        end = pixels.value_offset + pixels.length
        for start in range(pixels.value_offset, end, _PIECE_BYTES):
            summed.update(buffer[start : min(start + _PIECE_BYTES, end)])
        family = "native-le" if scanned.encoding.is_little_endian else "native-be"
        return InstanceDigest(family, summed.hexdigest())
    fragments = walk_fragments(buffer, pixels.value_offset)
    position = fragments.start
    for length in fragments.lengths:
        summed.update(buffer[position : position + length])
        position += length + ITEM_HEADER_LENGTH
    return InstanceDigest(scanned.encoding.transfer_syntax_uid, summed.hexdigest())


def _digest_of_attributes(content: memoryview) -> str:
    attributes = dataset_json(content, bulk=BulkPolicy.by_reference("", inline_length_max=INLINE_MAX_BYTES))
    attributes.pop(_CHARACTER_SET, None)
    return hashlib.sha256(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)).hexdigest()
