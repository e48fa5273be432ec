-- What a cast to a FHIR server keeps.

-- name: fhir_study_is_kept
-- Tell whether anything is kept of a study.
SELECT EXISTS (SELECT 1 FROM fhir_study WHERE partition_name = ? AND study_instance_uid = ?)
    OR EXISTS (SELECT 1 FROM fhir_error WHERE partition_name = ? AND study_instance_uid = ?);

-- name: forget_fhir_study
-- Drop a study that was cast.
DELETE FROM fhir_study WHERE partition_name = ? AND study_instance_uid = ?;

-- name: store_fhir_study
-- Keep a study that is still to be cast.
INSERT OR REPLACE INTO fhir_study (partition_name, study_instance_uid, due_at, attempts, removed)
VALUES (?, ?, ?, ?, ?);

-- name: ask_for_fhir_study
-- Have a study cast.
INSERT INTO fhir_study (partition_name, study_instance_uid, due_at) VALUES (?, ?, ?)
ON CONFLICT (partition_name, study_instance_uid) DO UPDATE SET due_at = excluded.due_at;

-- name: fhir_study
-- Read a study that is still to be cast.
SELECT partition_name, study_instance_uid, due_at, attempts, removed FROM fhir_study
WHERE partition_name = ? AND study_instance_uid = ?;

-- name: fhir_studies
-- List studies that are still to be cast, those behind that wait for a person.
SELECT partition_name, study_instance_uid, due_at, attempts, removed FROM fhir_study
ORDER BY due_at IS NULL, due_at, partition_name, study_instance_uid LIMIT ?;

-- name: due_fhir_studies
-- List studies whose time has come.
SELECT partition_name, study_instance_uid, due_at, attempts, removed FROM fhir_study
WHERE due_at <= ? ORDER BY due_at, partition_name, study_instance_uid LIMIT ?;

-- name: fhir_error_times
-- Read since when the errors of a study last.
SELECT kind, series_instance_uid, sop_instance_uid, attribute, first_at FROM fhir_error
WHERE partition_name = ? AND study_instance_uid = ?;

-- name: forget_fhir_errors
-- Drop the errors of a study.
DELETE FROM fhir_error WHERE partition_name = ? AND study_instance_uid = ?;

-- name: store_fhir_error
-- Keep an error.
INSERT OR REPLACE INTO fhir_error (
    partition_name, study_instance_uid, kind, series_instance_uid, sop_instance_uid, attribute, sequence, reason,
    first_at, last_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: fhir_errors
-- List errors, of one kind or study where these are named.
SELECT partition_name, study_instance_uid, kind, series_instance_uid, sop_instance_uid, attribute, sequence, reason,
    first_at, last_at
FROM fhir_error
WHERE (:kind IS NULL OR kind = :kind)
    AND (:study_instance_uid IS NULL
        OR (partition_name = :partition_name AND study_instance_uid = :study_instance_uid))
ORDER BY last_at DESC, partition_name, study_instance_uid, kind, series_instance_uid, sop_instance_uid, attribute
LIMIT :limit;

-- name: fhir_error_counts
-- Count errors by kind.
SELECT kind, count(*) FROM fhir_error GROUP BY kind;

-- name: fhir_standing
-- Read how a cast goes.
SELECT succeeded_at, failed_at, failure, rerun_after FROM fhir_standing WHERE name = ?;

-- name: store_fhir_standing
-- Keep how a cast goes.
INSERT INTO fhir_standing (name, succeeded_at, failed_at, failure) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    succeeded_at = excluded.succeeded_at, failed_at = excluded.failed_at, failure = excluded.failure;

-- name: store_fhir_rerun
-- Keep from where the feed is to be cast anew.
INSERT INTO fhir_standing (name, rerun_after) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET rerun_after = excluded.rerun_after;
