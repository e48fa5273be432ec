"""Whether the copy that somebody else holds is the instance that lies here: their data sets, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import xxhash

from isocenter.dicom.part10 import read_encoding
from isocenter.domain.errors import InvalidDataset

HEAD_LENGTH_MAX = 2 * 1024**2
"""File meta information is no longer; archives write their own, so that it says nothing."""

Chunks = Iterable[bytes | memoryview]


def is_same_instance(ours: Chunks, theirs: Chunks) -> bool | None:
    """Tell whether two files hold the same data set; None where their transfer syntaxes keep that from being seen."""
    our_syntax, our_digest = _digest(ours)
    their_syntax, their_digest = _digest(theirs)
    if our_syntax != their_syntax:
        return None
    return our_digest == their_digest


def _digest(chunks: Chunks) -> tuple[str, bytes]:
    """Return the transfer syntax of a file and a digest of its data set; raises InvalidDataset."""
    remaining: Iterator[bytes | memoryview] = iter(chunks)
    head = bytearray()
    while True:
        following = next(remaining, None)
        if following is not None:
            head += following
        try:
            encoding, offset = read_encoding(bytes(head))
        except InvalidDataset:
            if following is None or len(head) > HEAD_LENGTH_MAX:
                raise
            continue
        break
    digest = xxhash.xxh3_128(memoryview(head)[offset:])
    for chunk in remaining:
        digest.update(chunk)
    return encoding.transfer_syntax_uid, digest.digest()
