-- The cast to a FHIR server.

-- Studies that a FHIR server does not know as the archive does. One without a time waits for a person. A study is named
-- by its UID: it may be gone here and not there. `removed` is a JSON array of SOP instance UIDs that were deleted.
CREATE TABLE fhir_study (
    partition_name TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    removed TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (partition_name, study_instance_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX fhir_study_by_due ON fhir_study (due_at) WHERE due_at IS NOT NULL;

-- What went wrong with studies and instances on their way to a FHIR server. No reason holds the value of an attribute.
CREATE TABLE fhir_error (
    partition_name TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    attribute TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    reason TEXT NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (partition_name, study_instance_uid, kind, series_instance_uid, sop_instance_uid, attribute)
) STRICT, WITHOUT ROWID;
CREATE INDEX fhir_error_by_kind ON fhir_error (kind);

-- How the cast to each FHIR server goes, and from where somebody wants the feed cast anew.
CREATE TABLE fhir_standing (
    name TEXT PRIMARY KEY,
    succeeded_at REAL,
    failed_at REAL,
    failure TEXT NOT NULL DEFAULT '',
    rerun_after INTEGER
) STRICT, WITHOUT ROWID;
