"""What the edge counts for those who look after a node (dicom-service 12.5); no value of an attribute is among it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

KIB, MIB = 1024, 1024**2
LENGTHS_BYTES = (16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB)
"""Upper ends of the classes into which lengths of instances fall: from a small report to a whole slide."""
TAGS_MAX = 500
"""Of which objections are counted one by one. A sender can invent private tags without end; the rest is one sum."""
OTHER = "other"


class Form(StrEnum):
    """In which form instances were retrieved."""

    STORED = "stored"
    TRANSCODED = "transcoded"


class TransactionCounts:
    """Sums since the node was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[tuple[str, str]] = Counter()
        """By operation and status."""
        self.received_bytes: Counter[str] = Counter()
        """In bodies of requests, by operation."""
        self.sent_bytes: Counter[str] = Counter()
        """In bodies of answers, by operation."""
        self.stored: Counter[str] = Counter()
        """Instances of store requests, by what became of them."""
        self.lengths: Counter[int] = Counter()
        """Instances that were stored, by the index of their class in LENGTHS_BYTES; the last class has no end."""
        self.stored_bytes = 0
        self.objections: Counter[tuple[str, str]] = Counter()
        """Attributes of store requests that were objected to, by tag and whether the instance was kept."""
        self.retrieved: Counter[Form] = Counter()
        """Instances, by form."""

    def note_request(self, operation: str, status: int, *, received_bytes: int, sent_bytes: int) -> None:
        """Count a request that has been answered."""
        with self._lock:
            self.requests[operation, str(status)] += 1
            self.received_bytes[operation] += received_bytes
            self.sent_bytes[operation] += sent_bytes

    def note_instance(self, result: str, *, length_bytes: int = 0) -> None:
        """Count an instance of a store request; a length where it was stored."""
        with self._lock:
            self.stored[result] += 1
            if length_bytes:
                self.lengths[bisect_left(LENGTHS_BYTES, length_bytes)] += 1
                self.stored_bytes += length_bytes

    def note_objections(self, tags: Iterable[str], *, is_kept: bool) -> None:
        """Count attributes that were objected to."""
        result = "kept" if is_kept else "refused"
        with self._lock:
            for tag in tags:
                is_known = (tag, result) in self.objections or len(self.objections) < TAGS_MAX
                self.objections[tag if is_known else OTHER, result] += 1

    def note_retrieved(self, form: Form) -> None:
        """Count an instance that is on its way out."""
        with self._lock:
            self.retrieved[form] += 1
