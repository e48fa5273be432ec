-- name: find_recent_prefetch_run
-- Find a run of a rule for a subject that came at or after a time and did not fail.
SELECT run_key FROM prefetch_run
WHERE rule = ? AND subject = ? AND received_at >= ? AND state IN ('waiting', 'done')
LIMIT 1;

-- name: find_prefetch_run_of_origin
-- Find a run of a rule by what triggered it.
SELECT run_key FROM prefetch_run WHERE rule = ? AND origin = ? AND origin <> '' LIMIT 1;

-- name: insert_prefetch_run
-- Keep a run.
INSERT INTO prefetch_run (rule, subject, kind, trigger, state, received_at, start_at, deadline, finished_at, report,
    origin)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING run_key;

-- name: due_prefetch_runs
-- Read waiting runs whose time has come, the nearest deadline first.
SELECT run_key, rule, subject, kind, trigger, state, received_at, start_at, deadline, attempts, finished_at, report
FROM prefetch_run WHERE state = 'waiting' AND start_at <= ?
ORDER BY coalesce(deadline, received_at), run_key LIMIT ?;

-- name: update_prefetch_run
-- Keep a run as it is now.
UPDATE prefetch_run SET state = ?, start_at = ?, attempts = ?, finished_at = ?, report = ? WHERE run_key = ?;

-- name: recent_prefetch_runs
-- Read runs, the last one first.
SELECT run_key, rule, subject, kind, trigger, state, received_at, start_at, deadline, attempts, finished_at, report
FROM prefetch_run ORDER BY run_key DESC LIMIT ?;

-- name: count_waiting_prefetch_runs
-- Count the runs that wait.
SELECT count(*) FROM prefetch_run WHERE state = 'waiting';

-- name: insert_prefetched_study
-- Note that a study was fetched.
INSERT INTO prefetched_study (study_instance_uid, rule, source, fetched_at) VALUES (?, ?, ?, ?)
ON CONFLICT (study_instance_uid) DO NOTHING;

-- name: prefetched_study
-- Tell whether a study was fetched.
SELECT 1 FROM prefetched_study WHERE study_instance_uid = ?;

-- name: open_prefetched_studies
-- Note that somebody opened studies (a JSON array of UIDs).
UPDATE prefetched_study SET opened_at = ?
WHERE opened_at IS NULL AND study_instance_uid IN (SELECT value FROM json_each(?));

-- name: count_prefetched_studies
-- Count what was fetched, and what of it was opened.
SELECT count(*), count(opened_at) FROM prefetched_study;

-- name: forget_prefetched_studies
-- Drop what was fetched long ago.
DELETE FROM prefetched_study WHERE fetched_at < ?;

-- name: forget_prefetch_runs
-- Drop runs that ended long ago.
DELETE FROM prefetch_run WHERE finished_at < ?;

-- name: insert_step_message
-- Keep what a modality said of a performed step, for another AE.
INSERT INTO step_message (sop_instance_uid, operation, destination, content, state, received_at, next_at)
VALUES (?, ?, ?, ?, 'waiting', ?, ?);

-- name: due_step_messages
-- Read the first waiting message of each step, where its time has come.
SELECT message_key, sop_instance_uid, operation, destination, content, state, received_at, next_at, attempts, problem,
    finished_at
FROM step_message m
WHERE state = 'waiting' AND next_at <= ?
    AND NOT EXISTS (
        SELECT 1 FROM step_message o
        WHERE o.state = 'waiting' AND o.sop_instance_uid = m.sop_instance_uid AND o.message_key < m.message_key
    )
ORDER BY message_key LIMIT ?;

-- name: update_step_message
-- Keep a message as it is now.
UPDATE step_message SET state = ?, next_at = ?, attempts = ?, problem = ?, finished_at = ? WHERE message_key = ?;

-- name: recent_step_messages
-- Read messages, the last one first.
SELECT message_key, sop_instance_uid, operation, destination, content, state, received_at, next_at, attempts, problem,
    finished_at
FROM step_message ORDER BY message_key DESC LIMIT ?;

-- name: count_waiting_step_messages
-- Count the messages that wait.
SELECT count(*) FROM step_message WHERE state = 'waiting';

-- name: forget_step_messages
-- Drop messages that were done with long ago.
DELETE FROM step_message WHERE finished_at < ?;

-- name: performed_steps_changed_since
-- Read steps that changed at or after a time, in the order of their changes.
SELECT sop_instance_uid, state, content, scheduled_steps, ae_title, created_at, changed_at, revision FROM performed_step
WHERE changed_at >= ? ORDER BY changed_at, performed_step_key LIMIT ?;
