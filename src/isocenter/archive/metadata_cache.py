"""DICOM JSON that was asked for lately, of instances and of whole series and studies, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

ENTRY_OVERHEAD_BYTES = 200
"""What a key and its place in the order cost beside the text, roughly."""
LARGEST_SHARE = 16
"""One text may take a sixteenth of the room: the metadata of one odd instance is not to push out all others."""
LARGEST_SHARE_OF_ANSWERS = 4
"""The same for a whole answer: that of a thousand slices takes some megabytes."""


class MetadataCache:
    """Keep the most recently used texts. What a key names never changes, so an entry never goes stale.

    That is an instance by its key, or an answer by what was asked for with its entity tag.
    """

    def __init__(self, *, size_max_bytes: int = 64 * 1024**2, largest_share: int = LARGEST_SHARE) -> None:
        self._size_max_bytes = size_max_bytes
        self._text_max_bytes = size_max_bytes // largest_share
        self._size_bytes = 0
        self._texts: OrderedDict[tuple[Hashable, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def text_max_bytes(self) -> int:
        """Return how long a text may be to be kept."""
        return self._text_max_bytes

    def get(self, named: Hashable, variant: str) -> bytes | None:
        """Return the text kept for what is named in a variant, if it is here."""
        with self._lock:
            text = self._texts.get((named, variant))
            if text is not None:
                self._texts.move_to_end((named, variant))
            return text

    def put(self, named: Hashable, variant: str, text: bytes) -> None:
        """Keep a text, dropping those unused longest to stay within the limit."""
        key = (named, variant)
        if len(text) > self._text_max_bytes:
            return
        with self._lock:
            previous = self._texts.pop(key, None)
            if previous is not None:
                self._size_bytes -= len(previous) + ENTRY_OVERHEAD_BYTES
            self._texts[key] = text
            self._size_bytes += len(text) + ENTRY_OVERHEAD_BYTES
            while self._size_bytes > self._size_max_bytes and self._texts:
                _, dropped = self._texts.popitem(last=False)
                self._size_bytes -= len(dropped) + ENTRY_OVERHEAD_BYTES
