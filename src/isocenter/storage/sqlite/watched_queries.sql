-- name: watched_studies
-- Read studies of a list (a JSON array of UIDs).
SELECT study_instance_uid, device, modality, first_at, last_at, last_sequence, instances, is_complete, evidence, told,
    completed_at, completed_sequence, reopened, reopened_at, look_at
FROM watched_study WHERE study_instance_uid IN (SELECT value FROM json_each(?));

-- name: due_watched_studies
-- Read studies that are to be judged.
SELECT study_instance_uid, device, modality, first_at, last_at, last_sequence, instances, is_complete, evidence, told,
    completed_at, completed_sequence, reopened, reopened_at, look_at
FROM watched_study WHERE is_complete = 0 AND look_at <= ? ORDER BY look_at LIMIT ?;

-- name: recent_watched_studies
-- Read studies, the one that came last first.
SELECT study_instance_uid, device, modality, first_at, last_at, last_sequence, instances, is_complete, evidence, told,
    completed_at, completed_sequence, reopened, reopened_at, look_at
FROM watched_study ORDER BY last_at DESC LIMIT ?;

-- name: store_watched_study
-- Keep a study as it is now.
INSERT OR REPLACE INTO watched_study (study_instance_uid, device, modality, first_at, last_at, last_sequence, instances,
    is_complete, evidence, told, completed_at, completed_sequence, reopened, reopened_at, look_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_watched_completion
-- Note that a study was whole.
INSERT INTO watched_completion (study_instance_uid, evidence, told, completed_at, after_sequence, last_sequence, instances)
VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING completion_key;

-- name: watched_completions
-- Read when studies were whole, in order.
SELECT completion_key, study_instance_uid, evidence, told, completed_at, after_sequence, last_sequence, instances
FROM watched_completion WHERE completion_key > ? ORDER BY completion_key LIMIT ?;

-- name: store_watched_expectation
-- Keep what a source says.
INSERT OR REPLACE INTO watched_expectation (study_instance_uid, kind, origin, sop_instance_uids, count, is_final, noted_at)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: judge_watched_study
-- Have a study judged that is not whole.
UPDATE watched_study SET look_at = min(coalesce(look_at, :at), :at) WHERE study_instance_uid = :uid AND is_complete = 0;

-- name: watched_expectations
-- Read what must be here of a study.
SELECT study_instance_uid, kind, origin, sop_instance_uids, count, is_final, noted_at
FROM watched_expectation WHERE study_instance_uid = ? ORDER BY kind, origin;

-- name: watched_gaps
-- Read the gaps of a device.
SELECT gaps FROM watched_gap WHERE device = ? AND modality = ?;

-- name: store_watched_gaps
-- Keep the gaps of a device.
INSERT OR REPLACE INTO watched_gap (device, modality, gaps) VALUES (?, ?, ?);

-- name: forget_watched_expectations
-- Drop what was expected of studies that go, or that never came.
DELETE FROM watched_expectation WHERE noted_at < ?1
    AND study_instance_uid NOT IN (SELECT study_instance_uid FROM watched_study WHERE last_at >= ?1);

-- name: forget_watched_completions
-- Drop what was told long ago.
DELETE FROM watched_completion WHERE completed_at < ?;

-- name: forget_watched_studies
-- Drop studies to which nothing came since.
DELETE FROM watched_study WHERE last_at < ? AND is_complete = 1;
