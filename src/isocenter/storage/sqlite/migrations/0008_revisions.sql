-- New versions of whole studies.

-- New versions that become current together: durable, and seen by nobody until their revision is concluded. The
-- description is JSON.
CREATE TABLE staged_version (
    staged_key INTEGER PRIMARY KEY AUTOINCREMENT,
    revision_id TEXT NOT NULL,
    replaced_key INTEGER,
    description BLOB NOT NULL,
    container INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    block_digests BLOB NOT NULL,
    frame_table BLOB NOT NULL
) STRICT;
CREATE INDEX staged_version_by_revision ON staged_version (revision_id, replaced_key);

-- Revisions that were concluded, for operations that were cut off between that and their next step.
CREATE TABLE concluded_revision (
    revision_id TEXT PRIMARY KEY,
    instances INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
