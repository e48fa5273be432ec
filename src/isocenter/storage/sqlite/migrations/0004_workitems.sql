-- Workitems, and when partitions were begun.

ALTER TABLE partition ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
UPDATE partition SET created_at = coalesce((SELECT timestamp FROM change_feed ORDER BY sequence LIMIT 1), 0);
INSERT OR IGNORE INTO partition (partition_name, created_at) VALUES ('Microsoft.Default', unixepoch('subsec'));

-- Workitems (UPS-RS) as DICOM JSON. The Transaction UID is the lock: it stands beside the attributes, never among them.
CREATE TABLE workitem (
    workitem_key INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    state TEXT NOT NULL,
    transaction_uid TEXT,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    revision INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX workitem_by_uid ON workitem (partition_key, sop_instance_uid);
CREATE INDEX workitem_by_key ON workitem (partition_key);

-- Their texts that a search looks at, in the form in which they are compared; attributes by path.
CREATE TABLE workitem_text (
    partition_key INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    form TEXT NOT NULL,
    workitem_key INTEGER NOT NULL REFERENCES workitem ON DELETE CASCADE,
    text TEXT NOT NULL,
    PRIMARY KEY (partition_key, attribute, form, workitem_key, text)
) STRICT, WITHOUT ROWID;
CREATE INDEX workitem_text_by_workitem ON workitem_text (workitem_key, attribute);
