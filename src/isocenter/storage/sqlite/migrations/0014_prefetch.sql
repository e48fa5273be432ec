-- Prefetching, and performed procedure steps on their way to another AE.

-- One rule that a trigger concerns: an order, a work-list entry, a new study, a request.
CREATE TABLE prefetch_run (
    run_key INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    trigger BLOB NOT NULL,
    state TEXT NOT NULL,
    received_at REAL NOT NULL,
    start_at REAL NOT NULL,
    deadline REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    finished_at REAL,
    report BLOB NOT NULL,
    origin TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX prefetch_run_waiting ON prefetch_run (start_at) WHERE state = 'waiting';
CREATE INDEX prefetch_run_by_subject ON prefetch_run (rule, subject, received_at);
CREATE INDEX prefetch_run_by_origin ON prefetch_run (rule, origin) WHERE origin <> '';

-- What was fetched before somebody asked for it, and when somebody did.
CREATE TABLE prefetched_study (
    study_instance_uid TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    source TEXT NOT NULL,
    fetched_at REAL NOT NULL,
    opened_at REAL
) STRICT, WITHOUT ROWID;

-- What modalities said of performed procedure steps, until another AE has been told, in the order in which they said it.
CREATE TABLE step_message (
    message_key INTEGER PRIMARY KEY AUTOINCREMENT,
    sop_instance_uid TEXT NOT NULL,
    operation TEXT NOT NULL,
    destination TEXT NOT NULL,
    content BLOB NOT NULL,
    state TEXT NOT NULL,
    received_at REAL NOT NULL,
    next_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    finished_at REAL
) STRICT;
CREATE INDEX step_message_waiting ON step_message (sop_instance_uid, message_key) WHERE state = 'waiting';
