-- External metadata.

-- The VR of each tag of external metadata, the same in all partitions.
CREATE TABLE external_tag (
    tag INTEGER PRIMARY KEY,
    vr TEXT NOT NULL
) STRICT;

-- What callers handed in beside studies. A study is named by its UID: no pack knows these values, and keys of studies
-- are others after a rebuild. Beside a value stands the form in which it is compared, of a name its words too.
CREATE TABLE external_metadata (
    partition_key INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    tag INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable ANY NOT NULL,
    words TEXT,
    changed_at REAL NOT NULL,
    PRIMARY KEY (partition_key, study_instance_uid, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX external_metadata_by_value ON external_metadata (tag, partition_key, comparable);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('external_metadata', 'external_metadata', '1000000 1000000 4 1'),
    ('external_metadata', 'external_metadata_by_value', '1000000 200000 200000 20 1');
