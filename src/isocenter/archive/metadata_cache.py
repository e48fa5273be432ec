"""DICOM JSON of instances that were asked for lately, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

ENTRY_OVERHEAD_BYTES = 200
"""What a key and its place in the order cost beside the text, roughly."""


LARGEST_SHARE = 16
"""One text may take a sixteenth of the room: the metadata of one odd instance is not to push out all others."""


class MetadataCache:
    """Keep the most recently used texts. Instances never change, so an entry never goes stale."""

    def __init__(self, *, size_max_bytes: int = 64 * 1024**2) -> None:
        self._size_max_bytes = size_max_bytes
        self._size_bytes = 0
        self._texts: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, instance_key: int, variant: str) -> bytes | None:
        """Return the text kept for an instance in a variant, if it is here."""
        with self._lock:
            text = self._texts.get((instance_key, variant))
            if text is not None:
                self._texts.move_to_end((instance_key, variant))
            return text

    def put(self, instance_key: int, variant: str, text: bytes) -> None:
        """Keep a text, dropping those unused longest to stay within the limit."""
        key = (instance_key, variant)
        if len(text) > self._size_max_bytes // LARGEST_SHARE:
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
