"""The index in SQLite: one writer, a few readers, one file beside the packs.

Holds: the schema, the statements, the writer, the predicate builder.
Never: has a rule of matching of its own; those are in `isocenter.domain.fitting`.
Start reading at: `index.py`.
"""

from __future__ import annotations

from isocenter.storage.sqlite.index import SqliteInstanceIndex

__all__ = ["SqliteInstanceIndex"]
