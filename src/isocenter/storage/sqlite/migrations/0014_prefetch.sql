-- Prefetching, performed procedure steps on their way to another AE, studies that are watched until they are whole.

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

-- Studies that are watched until they are whole.
CREATE TABLE watched_study (
    study_instance_uid TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    modality TEXT NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    last_sequence INTEGER NOT NULL,
    instances INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    told TEXT NOT NULL,
    completed_at REAL,
    completed_sequence INTEGER NOT NULL,
    reopened INTEGER NOT NULL,
    reopened_at REAL NOT NULL,
    look_at REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX watched_study_due ON watched_study (look_at) WHERE is_complete = 0;
CREATE INDEX watched_study_by_arrival ON watched_study (last_at);

-- What one source says must be here of a study.
CREATE TABLE watched_expectation (
    study_instance_uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    sop_instance_uids BLOB NOT NULL,
    count INTEGER NOT NULL,
    is_final INTEGER NOT NULL,
    noted_at REAL NOT NULL,
    PRIMARY KEY (study_instance_uid, kind, origin)
) STRICT, WITHOUT ROWID;

-- When studies were whole, and the part of the feed that made them so.
CREATE TABLE watched_completion (
    completion_key INTEGER PRIMARY KEY AUTOINCREMENT,
    study_instance_uid TEXT NOT NULL,
    evidence TEXT NOT NULL,
    told TEXT NOT NULL,
    completed_at REAL NOT NULL,
    after_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    instances INTEGER NOT NULL
) STRICT;

-- Gaps between instances of one study, by device and modality: a JSON array, the oldest first.
CREATE TABLE watched_gap (
    device TEXT NOT NULL,
    modality TEXT NOT NULL,
    gaps BLOB NOT NULL,
    PRIMARY KEY (device, modality)
) STRICT, WITHOUT ROWID;

-- Steps that changed since they were looked at last.
CREATE INDEX performed_step_by_change ON performed_step (changed_at);
