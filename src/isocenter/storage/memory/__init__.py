"""The slow, obvious reference of both ports, in memory.

Holds: a blob store and an index that the others are compared with.
Never: keeps anything beyond the process, or is clever.
Start reading at: `index.py`.
"""

from __future__ import annotations

from isocenter.storage.memory.blobs import MemoryBlobStore
from isocenter.storage.memory.index import MemoryInstanceIndex

__all__ = ["MemoryBlobStore", "MemoryInstanceIndex"]
