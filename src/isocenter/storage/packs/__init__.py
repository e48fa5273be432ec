"""Blobs in append-only files of self-describing records on a local volume.

Holds: the pack format, the store, its spools and its walk.
Never: looks into the bytes it keeps, or repeats an fsync that failed.
Start reading at: `store.py`; the layout is in `layout.py`.
"""

from __future__ import annotations

from isocenter.storage.packs.store import LocalPackBlobStore

__all__ = ["LocalPackBlobStore"]
