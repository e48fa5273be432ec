-- Every statement of the ledger that is not built from a selection. A name line, a sentence, the statement.

-- name: delivery_plan
-- Find what the rules said, or keep it.
INSERT INTO delivery_plan (destination, channel, rule, configuration_version, transforms, priority, calling_ae_title,
    awaits_study)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET rule = rule RETURNING plan_key;

-- name: delivery_tally
-- Find the counters of a channel and destination, or begin them.
INSERT INTO delivery_tally (channel, destination) VALUES (?, ?)
ON CONFLICT DO UPDATE SET channel = channel RETURNING tally_key;

-- name: delivery_study
-- Find a study on its way to a destination.
SELECT delivery_study_key FROM delivery_study
WHERE study_instance_uid = ? AND destination = ? AND partition_key = ?;

-- name: insert_delivery_study
-- Put a study on its way to a destination.
INSERT INTO delivery_study (study_instance_uid, destination, partition_key, last_received_at) VALUES (?, ?, ?, 0)
RETURNING delivery_study_key;

-- name: delivery_series
-- Find a series on its way to a destination, or put it there.
INSERT INTO delivery_series (delivery_study_key, series_instance_uid) VALUES (?, ?)
ON CONFLICT DO UPDATE SET series_instance_uid = series_instance_uid RETURNING delivery_series_key;

-- name: insert_delivery
-- Put an instance on its way to a destination.
INSERT INTO delivery (delivery_key, instance_key, delivery_series_key, sop_instance_uid, size_bytes, plan_key, tally_key,
    destination, priority, state, received_at, due_at, lease_number, leased_until, failures, wish, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: step_delivery
-- Keep a delivery after a step.
UPDATE delivery SET state = ?, due_at = ?, lease_number = ?, leased_until = ?, failures = ?, wish = ?, note = ?
WHERE delivery_key = ?;

-- name: replan_delivery
-- Let a delivery go by another plan, of the same channel to the same destination.
UPDATE delivery SET plan_key = ?, priority = ? WHERE delivery_key = ?;

-- name: requeue_delivery
-- Keep the new beginning of a delivery's time, where a step changed it.
UPDATE delivery SET received_at = ? WHERE delivery_key = ?;

-- name: add_delivery_count
-- Move counters.
INSERT INTO delivery_count (tally_key, state, number, size_bytes) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET number = number + excluded.number, size_bytes = size_bytes + excluded.size_bytes;

-- name: add_study_counts
-- Move the counters of a study on its way to a destination.
UPDATE delivery_study SET queued = queued + ?, sending = sending + ?, held = held + ?, needs_human = needs_human + ?,
    delivered = delivered + ?, delivered_with_note = delivered_with_note + ?, cancelled = cancelled + ?,
    last_received_at = max(last_received_at, ?)
WHERE delivery_study_key = ?;

-- name: last_attempts
-- Tell the highest number of an attempt of each of some deliveries (a JSON array of keys).
SELECT a.delivery_key, max(a.attempt_number) FROM json_each(?) AS asked
CROSS JOIN delivery_attempt a ON a.delivery_key = asked.value GROUP BY a.delivery_key;

-- name: insert_attempt
-- Keep what an attempt came to.
INSERT INTO delivery_attempt (delivery_key, attempt_number, began_at, ended_at, note, detail) VALUES (?, ?, ?, ?, ?, ?);

-- name: forget_attempts
-- Drop the attempts of a delivery up to a number.
DELETE FROM delivery_attempt WHERE delivery_key = ? AND attempt_number <= ?;

-- name: attempts
-- Read the attempts of a delivery, the newest first.
SELECT began_at, ended_at, note, detail FROM delivery_attempt WHERE delivery_key = ? ORDER BY attempt_number DESC;

-- name: destinations_of_instance
-- Tell where a version has deliveries to.
SELECT destination FROM delivery WHERE instance_key = ? AND instance_key <> 0;

-- name: instances_to_deliver
-- Tell what deliveries of current versions (a JSON array of keys) are about.
SELECT i.instance_key, i.partition_key, i.length, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid,
    p.partition_name
FROM json_each(?) AS asked
CROSS JOIN instance i ON i.instance_key = asked.value
CROSS JOIN series e ON e.series_key = i.series_key
CROSS JOIN study s ON s.study_key = e.study_key
CROSS JOIN partition p ON p.partition_key = i.partition_key
WHERE i.is_original = 0;

-- name: planned_anew
-- Tell whether any of these pairs of instance and destination (a JSON array of arrays) is not in the ledger yet.
SELECT EXISTS (
    SELECT 1 FROM json_each(?) AS asked
    CROSS JOIN instance i ON i.instance_key = asked.value ->> 0 AND i.is_original = 0
    WHERE NOT EXISTS (
        SELECT 1 FROM delivery d
        WHERE d.instance_key = i.instance_key AND d.instance_key <> 0 AND d.destination = asked.value ->> 1
    )
);

-- name: open_deliveries
-- List what of some versions (a JSON array of keys) has not ended.
SELECT d.delivery_key FROM json_each(?) AS asked
CROSS JOIN delivery d ON d.instance_key = asked.value
WHERE d.instance_key <> 0 AND d.state IN ('queued', 'sending', 'held', 'needs-human')
ORDER BY d.delivery_key;

-- name: ledger_rows
-- Read deliveries by their keys (a JSON array).
SELECT d.delivery_key, d.instance_key, s.study_instance_uid, e.series_instance_uid, d.sop_instance_uid, p.partition_name,
    d.size_bytes, d.plan_key, d.tally_key, e.delivery_study_key, d.state, d.received_at, d.due_at, d.lease_number,
    d.leased_until, d.failures, d.wish, d.note
FROM json_each(?) AS asked
CROSS JOIN delivery d ON d.delivery_key = asked.value
CROSS JOIN delivery_series e ON e.delivery_series_key = d.delivery_series_key
CROSS JOIN delivery_study s ON s.delivery_study_key = e.delivery_study_key
CROSS JOIN partition p ON p.partition_key = s.partition_key;

-- name: plan_row
-- Read what the rules said.
SELECT destination, channel, rule, configuration_version, transforms, priority, calling_ae_title, awaits_study
FROM delivery_plan
WHERE plan_key = ?;

-- name: due_deliveries
-- List what of a class is due at a destination, the longest first; without instances of which another version is being
-- sent there.
SELECT d.delivery_key, d.size_bytes FROM delivery d
WHERE d.state = 'queued' AND d.destination = ? AND d.priority = ? AND d.due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM delivery o
    WHERE o.sop_instance_uid = d.sop_instance_uid AND +o.delivery_series_key = d.delivery_series_key
        AND +o.state = 'sending'
)
ORDER BY d.due_at, d.delivery_key LIMIT ?;

-- name: due_classes
-- Tell which classes (a JSON array) have something due at a destination, and when the next falls due that is not.
SELECT asked.value,
    EXISTS (
        SELECT 1 FROM delivery
        WHERE state = 'queued' AND destination = :destination AND priority = asked.value AND due_at <= :now
    ),
    (
        SELECT min(due_at) FROM delivery
        WHERE state = 'queued' AND destination = :destination AND priority = asked.value AND due_at > :now
    ),
    (
        SELECT min(received_at) FROM delivery
        WHERE state IN ('queued', 'sending', 'held') AND destination = :destination
    )
FROM json_each(:priorities) AS asked;

-- name: delivery_tallies
-- Read all counters.
SELECT t.tally_key, t.channel, t.destination, c.state, c.number, c.size_bytes
FROM delivery_tally t JOIN delivery_count c ON c.tally_key = t.tally_key WHERE c.number > 0
ORDER BY t.channel, t.destination;
