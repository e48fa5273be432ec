-- Every statement of the index that is not built from the tables of attributes. A name line, a sentence, the statement.

-- name: begin
-- Start to write; from here on this connection is the only writer.
BEGIN IMMEDIATE;

-- name: data_version
-- Tell whether another connection has committed since the last time.
PRAGMA data_version;

-- name: checkpoint
-- Move what is in the log to the database as far as readers allow, without waiting for them.
PRAGMA wal_checkpoint(PASSIVE);

-- name: counters
-- Read the last numbers given.
SELECT study_key, series_key, instance_key, sequence, delivery_key, erasure_key FROM counter;

-- name: store_counters
-- Record the last numbers given.
UPDATE counter SET study_key = ?, series_key = ?, instance_key = ?, sequence = ?, delivery_key = ?, erasure_key = ?;

-- name: partition
-- Find a partition.
SELECT partition_key FROM partition WHERE partition_name = ?;

-- name: insert_partition
-- Begin a partition.
INSERT INTO partition (partition_name, created_at) VALUES (?, ?) RETURNING partition_key;

-- name: partition_row
-- Read a partition.
SELECT partition_key, partition_name, created_at FROM partition WHERE partition_name = ?;

-- name: partition_rows
-- Read all partitions.
SELECT partition_key, partition_name, created_at FROM partition ORDER BY partition_key;

-- name: insert_workitem
-- Keep a workitem, unless its UID is in use.
INSERT OR IGNORE INTO workitem (partition_key, sop_instance_uid, state, transaction_uid, created_at, changed_at,
    revision, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING workitem_key;

-- name: update_workitem
-- Keep a workitem in the place of an earlier revision.
UPDATE workitem SET state = ?, transaction_uid = ?, changed_at = ?, revision = ?, content = ?
WHERE partition_key = (SELECT partition_key FROM partition WHERE partition_name = ?) AND sop_instance_uid = ?
    AND revision = ?
RETURNING workitem_key, partition_key;

-- name: delete_workitem_texts
-- Forget by what a workitem was found.
DELETE FROM workitem_text WHERE workitem_key = ?;

-- name: insert_workitem_text
-- Note by what a workitem is found.
INSERT OR IGNORE INTO workitem_text (partition_key, attribute, form, workitem_key, text) VALUES (?, ?, ?, ?, ?);

-- name: workitem
-- Read a workitem.
SELECT p.partition_name, w.sop_instance_uid, w.state, w.transaction_uid, w.content, w.created_at, w.changed_at,
    w.revision
FROM partition p JOIN workitem w ON w.partition_key = p.partition_key
WHERE p.partition_name = ? AND w.sop_instance_uid = ?;

-- name: add_totals
-- Keep the counts of a partition.
UPDATE partition SET studies = studies + ?, series = series + ?, instances = instances + ?, size_bytes = size_bytes + ?
WHERE partition_key = ?;

-- name: totals
-- Sum the counts of the partitions.
SELECT coalesce(sum(studies), 0), coalesce(sum(series), 0), coalesce(sum(instances), 0), coalesce(sum(size_bytes), 0)
FROM partition;

-- name: update_study_counts
-- Count what a commit added to a study.
UPDATE study SET number_of_series = ?, number_of_instances = ?, newest_instance_key = ? WHERE study_key = ?;

-- name: update_series_counts
-- Count what a commit added to a series.
UPDATE series SET number_of_instances = ?, newest_instance_key = ? WHERE series_key = ?;

-- name: modalities_of_study
-- List the modalities of a study's series.
SELECT DISTINCT modality FROM series WHERE study_key = ? AND modality IS NOT NULL ORDER BY modality;

-- name: store_modalities
-- Show the modalities of a study.
UPDATE study SET modalities_in_study = ? WHERE study_key = ?;

-- name: forget_modalities
-- Take a study out of the search by modality.
DELETE FROM study_modality WHERE study_key = ?;

-- name: insert_modality
-- Let a study be found by a modality.
INSERT OR IGNORE INTO study_modality (partition_key, modality_caseless, study_key) VALUES (?, ?, ?);

-- name: sop_classes_of_study
-- List the SOP classes of a study's instances.
SELECT DISTINCT i.sop_class_uid FROM series e JOIN instance i ON i.series_key = e.series_key
WHERE e.study_key = ? AND i.is_original = 0 ORDER BY i.sop_class_uid;

-- name: store_sop_classes
-- Show the SOP classes of a study.
UPDATE study SET sop_classes_in_study = ? WHERE study_key = ?;

-- name: forget_sop_classes
-- Take a study out of the search by SOP class.
DELETE FROM study_sop_class WHERE study_key = ?;

-- name: insert_sop_class
-- Let a study be found by an SOP class.
INSERT OR IGNORE INTO study_sop_class (partition_key, sop_class_uid, study_key) VALUES (?, ?, ?);

-- name: forget_requests
-- Forget the items of a series' RequestAttributesSequence.
DELETE FROM series_request WHERE series_key = ?;

-- name: forget_words
-- Take a study out of the fuzzy search.
DELETE FROM study_name_word WHERE study_key = ?;

-- name: insert_word
-- Let a study be found by a word of a name.
INSERT OR IGNORE INTO study_name_word (partition_key, attribute, word, study_key) VALUES (?, ?, ?, ?);

-- name: known_uids
-- Tell which of a list of SOP Instance UIDs (a JSON array) a partition has in any study.
SELECT DISTINCT instance.sop_instance_uid
FROM partition
CROSS JOIN json_each(:sop_instance_uids) AS asked
CROSS JOIN instance ON instance.partition_key = partition.partition_key AND instance.sop_instance_uid = asked.value
WHERE partition.partition_name = :partition_name;

-- name: stored_version
-- Find the current version of an instance within a series.
SELECT instance_key, has_original, sop_class_uid, container, offset, length, block_digests FROM instance
WHERE series_key = ? AND sop_instance_uid = ? AND is_original = 0;

-- name: make_original
-- Keep a version as the original one.
UPDATE instance SET is_original = 1, has_original = 0 WHERE instance_key = ?;

-- name: delete_instance
-- Forget a version.
DELETE FROM instance WHERE instance_key = ?;

-- name: insert_change
-- Add a row to the change feed.
INSERT INTO change_feed (sequence, partition_key, study_instance_uid, series_instance_uid, sop_instance_uid, action,
    timestamp, instance_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_erasure
-- Note bytes that are to be destroyed.
INSERT INTO erasure (erasure_key, container, offset, length, block_digests, due_at) VALUES (?, ?, ?, ?, ?, ?);

-- name: store_position
-- Record how far a container is in the index.
INSERT INTO pack_position (container, length) VALUES (?, ?)
ON CONFLICT (container) DO UPDATE SET length = max(length, excluded.length);

-- name: shrink_position
-- Record that an erasure left a container shorter.
UPDATE pack_position SET length = min(length, ?) WHERE container = ?;

-- name: forget_position
-- Forget a container that is gone with what an erasure destroyed.
DELETE FROM pack_position WHERE container = ?;

-- name: scope_versions
-- List every version in a scope.
SELECT i.instance_key, i.is_original, i.study_key, i.series_key, i.partition_key, s.study_instance_uid,
    e.series_instance_uid, i.sop_instance_uid, i.container, i.offset, i.length, i.block_digests
FROM partition p
JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = :study_instance_uid
JOIN series e ON e.study_key = s.study_key
    AND (:series_instance_uid IS NULL OR e.series_instance_uid = :series_instance_uid)
JOIN instance i ON i.series_key = e.series_key
    AND (:sop_instance_uid IS NULL OR i.sop_instance_uid = :sop_instance_uid)
WHERE p.partition_name = :partition_name;

-- name: instance_versions
-- List every version of the instance of which one is current under a key.
SELECT i.instance_key, i.is_original, i.study_key, i.series_key, i.partition_key, s.study_instance_uid,
    e.series_instance_uid, i.sop_instance_uid, i.container, i.offset, i.length, i.block_digests
FROM instance c
JOIN instance i ON i.series_key = c.series_key AND i.sop_instance_uid = c.sop_instance_uid
JOIN series e ON e.series_key = i.series_key
JOIN study s ON s.study_key = i.study_key
WHERE c.instance_key = ? AND c.is_original = 0;

-- name: move_original
-- Put a version as the original one beside the current version of other identifiers.
UPDATE instance SET is_original = 1, has_original = 0, study_key = c.study_key, series_key = c.series_key,
    sop_instance_uid = c.sop_instance_uid
FROM (SELECT study_key, series_key, sop_instance_uid FROM instance WHERE instance_key = :current_key) AS c
WHERE instance_key = :original_key;

-- name: note_original
-- Note that an original version is kept of an instance.
UPDATE instance SET has_original = 1 WHERE instance_key = ?;

-- name: stage_version
-- Keep a new version until its revision is concluded.
INSERT INTO staged_version (revision_id, replaced_key, description, container, offset, length, block_digests,
    frame_table) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING staged_key;

-- name: staged_versions
-- Read what is staged of a revision, in the order of what it replaces.
SELECT staged_key, replaced_key, description, container, offset, length, block_digests, frame_table
FROM staged_version WHERE revision_id = ? ORDER BY replaced_key, staged_key;

-- name: staged_places
-- Read where the staged versions of a revision lie.
SELECT staged_key, replaced_key, container, offset, length, block_digests FROM staged_version WHERE revision_id = ?
ORDER BY staged_key;

-- name: staged_place
-- Read where the staged version lies that a revision has for one that it replaces.
SELECT staged_key, replaced_key, container, offset, length, block_digests FROM staged_version
WHERE revision_id = ? AND replaced_key = ?;

-- name: staged_revisions
-- List the revisions of which anything is staged.
SELECT DISTINCT revision_id FROM staged_version ORDER BY revision_id;

-- name: forget_staged
-- Forget a staged version.
DELETE FROM staged_version WHERE staged_key = ?;

-- name: conclude_revision
-- Note that a revision was concluded.
INSERT INTO concluded_revision (revision_id, instances) VALUES (?, ?)
ON CONFLICT (revision_id) DO UPDATE SET instances = excluded.instances;

-- name: concluded_revision
-- Read how many instances a revision changed.
SELECT instances FROM concluded_revision WHERE revision_id = ?;

-- name: concluded_revisions
-- List the revisions that were concluded.
SELECT revision_id FROM concluded_revision ORDER BY revision_id;

-- name: forget_concluded
-- Forget a revision that was concluded.
DELETE FROM concluded_revision WHERE revision_id = ?;

-- name: current_keys
-- List the keys of the current instances in a scope.
SELECT i.instance_key
FROM partition p
JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = :study_instance_uid
JOIN series e ON e.study_key = s.study_key
    AND (:series_instance_uid IS NULL OR e.series_instance_uid = :series_instance_uid)
JOIN instance i ON i.series_key = e.series_key
    AND (:sop_instance_uid IS NULL OR i.sop_instance_uid = :sop_instance_uid)
WHERE p.partition_name = :partition_name AND i.is_original = 0;

-- name: count_series
-- Count anew what is left of a series.
SELECT count(*), max(instance_key) FROM instance WHERE series_key = ? AND is_original = 0;

-- name: delete_series
-- Forget a series.
DELETE FROM series WHERE series_key = ?;

-- name: count_study
-- Count anew what is left of a study.
SELECT count(*), coalesce(sum(number_of_instances), 0), max(newest_instance_key) FROM series WHERE study_key = ?;

-- name: delete_study
-- Forget a study.
DELETE FROM study WHERE study_key = ?;

-- name: forget_erasure
-- Drop an erasure that was carried out.
DELETE FROM erasure WHERE erasure_key = ?;

-- name: due_erasures
-- List what is to be destroyed by now.
SELECT erasure_key, container, offset, length, block_digests, due_at FROM erasure WHERE due_at <= ?
ORDER BY due_at, erasure_key LIMIT ?;

-- name: positions
-- List how far each container is in the index.
SELECT container, length FROM pack_position ORDER BY container;

-- name: changes
-- Read the feed, each row with the current instance of its identity.
SELECT f.sequence, f.study_instance_uid, f.series_instance_uid, f.sop_instance_uid, p.partition_name, f.action,
    f.timestamp, f.instance_key, i.instance_key
FROM change_feed f
JOIN partition p ON p.partition_key = f.partition_key
LEFT JOIN study s ON s.partition_key = f.partition_key AND s.study_instance_uid = f.study_instance_uid
LEFT JOIN series e ON e.study_key = s.study_key AND e.series_instance_uid = f.series_instance_uid
LEFT JOIN instance i ON i.series_key = e.series_key AND i.sop_instance_uid = f.sop_instance_uid AND i.is_original = 0
WHERE f.sequence > ? ORDER BY f.sequence LIMIT ?;

-- name: change_timestamp
-- Read when a row of the feed was committed.
SELECT timestamp FROM change_feed WHERE sequence = ?;

-- name: latest_timestamp
-- Read when the last row of the feed was committed.
SELECT timestamp FROM change_feed ORDER BY sequence DESC LIMIT 1;

-- name: latest_study_key
-- Read the last number given to a study.
SELECT study_key FROM counter;

-- name: latest_sequence
-- Read the highest sequence of the feed.
SELECT sequence FROM counter;

-- name: frame_table
-- Read the frame table of a version.
SELECT frame_table FROM instance WHERE instance_key = ?;

-- name: insert_invalid_paths
-- Note the elements of a version that metadata leaves out.
INSERT INTO invalid_attribute (instance_key, paths) VALUES (?, ?);

-- name: invalid_paths
-- Read the elements that metadata leaves out, for a list of versions (a JSON array).
SELECT i.instance_key, i.paths
FROM json_each(:instance_keys) AS asked
CROSS JOIN invalid_attribute i ON i.instance_key = asked.value;

-- name: addresses
-- Walk every stored version.
SELECT i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name, i.container,
    i.offset, i.length, i.block_digests
FROM instance i
JOIN series e ON e.series_key = i.series_key
JOIN study s ON s.study_key = i.study_key
JOIN partition p ON p.partition_key = i.partition_key
WHERE i.instance_key > ? ORDER BY i.instance_key LIMIT ?;

-- name: instance
-- Read one current instance.
SELECT i.series_key, i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name,
    i.sop_class_uid, i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.container, i.offset, i.length,
    i.block_digests, i.header_length, i.received_at, i.has_original, i.source
FROM instance i
JOIN series e ON e.series_key = i.series_key
JOIN study s ON s.study_key = i.study_key
JOIN partition p ON p.partition_key = i.partition_key
WHERE i.instance_key = ? AND i.is_original = 0;

-- name: instances_of_keys
-- Read those of a list of instances (a JSON array) that are current.
SELECT i.series_key, i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name,
    i.sop_class_uid, i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.container, i.offset, i.length,
    i.block_digests, i.header_length, i.received_at, i.has_original, i.source
FROM json_each(:instance_keys) AS asked
CROSS JOIN instance i ON i.instance_key = asked.value AND i.is_original = 0
CROSS JOIN series e ON e.series_key = i.series_key
CROSS JOIN study s ON s.study_key = i.study_key
CROSS JOIN partition p ON p.partition_key = i.partition_key;

-- name: instances_of_study
-- Read the current or the original instances of a study.
SELECT i.series_key, i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name,
    i.sop_class_uid, i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.container, i.offset, i.length,
    i.block_digests, i.header_length, i.received_at, i.has_original, i.source
FROM partition p
CROSS JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = :study_instance_uid
CROSS JOIN series e ON e.study_key = s.study_key
CROSS JOIN instance i ON i.series_key = e.series_key
WHERE p.partition_name = :partition_name AND i.is_original = :is_original;

-- name: instances_of_series
-- Read the current or the original instances of a series.
SELECT i.series_key, i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name,
    i.sop_class_uid, i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.container, i.offset, i.length,
    i.block_digests, i.header_length, i.received_at, i.has_original, i.source
FROM partition p
CROSS JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = :study_instance_uid
CROSS JOIN series e ON e.study_key = s.study_key AND e.series_instance_uid = :series_instance_uid
CROSS JOIN instance i ON i.series_key = e.series_key
WHERE p.partition_name = :partition_name AND i.is_original = :is_original;

-- name: instances_of_instance
-- Read the current or the original version of an instance.
SELECT i.series_key, i.instance_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, p.partition_name,
    i.sop_class_uid, i.transfer_syntax_uid, i.instance_number, i.number_of_frames, i.container, i.offset, i.length,
    i.block_digests, i.header_length, i.received_at, i.has_original, i.source
FROM partition p
CROSS JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = :study_instance_uid
CROSS JOIN series e ON e.study_key = s.study_key AND e.series_instance_uid = :series_instance_uid
CROSS JOIN instance i ON i.series_key = e.series_key AND i.sop_instance_uid = :sop_instance_uid
WHERE p.partition_name = :partition_name AND i.is_original = :is_original;

-- name: insert_worklist_item
-- Keep an item of the work list.
INSERT INTO worklist_item (identity, added_at, source, transfer_syntax_uid, attribute_values, content)
VALUES (?, ?, ?, ?, ?, ?) RETURNING item_key;

-- name: delete_worklist_identity
-- Drop the item of an identity, with its steps.
DELETE FROM worklist_item WHERE identity = ?;

-- name: delete_worklist_item
-- Drop an item, with its steps.
DELETE FROM worklist_item WHERE item_key = ?;

-- name: count_worklist_items
-- Count the items of the work list.
SELECT count(*) FROM worklist_item;

-- name: worklist_states
-- Read how far the steps of an item have come, those that can be named.
SELECT s.named_study, s.named_step, s.state FROM worklist_item i JOIN worklist_step s ON s.item_key = i.item_key
WHERE i.identity = ? AND s.named_study IS NOT NULL;

-- name: insert_worklist_step
-- Keep a scheduled step.
INSERT INTO worklist_step (item_key, step_number, state, start_day, start_time, named_study, named_step, patient_id,
    patient_name_folded, accession_number, study_instance_uid, requested_procedure_id, scheduled_procedure_step_id,
    modality_caseless, scheduled_station_ae_title) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: mark_worklist_step
-- Note how far a scheduled step has come.
UPDATE worklist_step SET state = ? WHERE named_study = ? AND named_step = ?;

-- name: worklist_entries
-- Read steps with their items.
SELECT s.step_key, s.item_key, s.step_number, s.state, i.content, i.transfer_syntax_uid, i.attribute_values, i.added_at,
    i.source
FROM json_each(:step_keys) AS asked
CROSS JOIN worklist_step s ON s.step_key = asked.value
CROSS JOIN worklist_item i ON i.item_key = s.item_key
ORDER BY asked.key;

-- name: insert_performed_step
-- Keep a performed step, unless its UID is in use.
INSERT OR IGNORE INTO performed_step (sop_instance_uid, state, ae_title, created_at, changed_at, revision,
    scheduled_steps, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_performed_step
-- Keep a performed step in the place of an earlier revision.
UPDATE performed_step SET state = ?, changed_at = ?, revision = ?, scheduled_steps = ?, content = ?
WHERE sop_instance_uid = ? AND revision = ?;

-- name: performed_step
-- Read a performed step.
SELECT sop_instance_uid, state, content, scheduled_steps, ae_title, created_at, changed_at, revision FROM performed_step
WHERE sop_instance_uid = ?;

-- name: recent_performed_steps
-- Read the performed steps that were created last.
SELECT sop_instance_uid, state, content, scheduled_steps, ae_title, created_at, changed_at, revision FROM performed_step
ORDER BY performed_step_key DESC LIMIT ?;

-- name: count_open_commitments
-- Count the transactions about which something is to be done.
SELECT count(*) FROM commitment WHERE state IN ('requested', 'checked', 'asked');

-- name: insert_commitment
-- Keep a transaction.
INSERT INTO commitment (side, transaction_uid, peer_ae_title, own_ae_title, requested_at, state, is_duplicate, attempts,
    due_at, changed_at, problem, named_count, instance_references)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, '', ?, ?) RETURNING commitment_key;

-- name: commitment_state
-- Read how far a transaction has come.
SELECT state FROM commitment WHERE commitment_key = ?;

-- name: update_commitment
-- Keep a transaction as it is now.
UPDATE commitment SET state = ?, attempts = ?, due_at = ?, changed_at = ?, problem = ?, result = ?
WHERE commitment_key = ?;

-- name: commitment_of_transaction
-- Read the first transaction of a UID.
SELECT commitment_key, side, transaction_uid, instance_references, named_count, peer_ae_title, own_ae_title,
    requested_at, state, is_duplicate, result, attempts, due_at, changed_at, problem
FROM commitment WHERE side = ? AND transaction_uid = ? ORDER BY commitment_key LIMIT 1;

-- name: due_commitments
-- Read transactions about which something is to be done by now.
SELECT commitment_key, side, transaction_uid, instance_references, named_count, peer_ae_title, own_ae_title,
    requested_at, state, is_duplicate, result, attempts, due_at, changed_at, problem
FROM commitment WHERE state IN ('requested', 'checked', 'asked') AND due_at <= ?1
    AND (?3 = '[]' OR own_ae_title IN (SELECT value FROM json_each(?3)))
    AND own_ae_title NOT IN (SELECT value FROM json_each(?4))
ORDER BY due_at, commitment_key LIMIT ?2;

-- name: recent_commitments
-- Read the transactions that were begun last.
SELECT commitment_key, side, transaction_uid, instance_references, named_count, peer_ae_title, own_ae_title,
    requested_at, state, is_duplicate, result, attempts, due_at, changed_at, problem
FROM commitment ORDER BY commitment_key DESC LIMIT ?;

-- name: forget_commitments
-- Drop transactions that ended before a time.
DELETE FROM commitment WHERE state NOT IN ('requested', 'checked', 'asked') AND changed_at < ?;

-- name: insert_operation
-- Keep an operation.
INSERT INTO operation (operation_id, type, created_at, updated_at, instructions, resources, status, percent_complete,
    checkpoint, results, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_operation
-- Keep an operation as it is now.
UPDATE operation SET updated_at = ?, status = ?, percent_complete = ?, checkpoint = ?, resources = ?, results = ?,
    attempts = ? WHERE operation_id = ?;

-- name: pause_operation
-- Pause an operation that has not ended, or let it go on.
UPDATE operation SET is_paused = ?, updated_at = ? WHERE operation_id = ? AND status IN ('notStarted', 'running');

-- name: operation
-- Read an operation.
SELECT operation_id, type, created_at, updated_at, instructions, resources, status, is_paused, percent_complete,
    checkpoint, results, attempts FROM operation WHERE operation_id = ?;

-- name: open_operation_of_type
-- Read the operation of a type that has not ended.
SELECT operation_id, type, created_at, updated_at, instructions, resources, status, is_paused, percent_complete,
    checkpoint, results, attempts FROM operation WHERE status IN ('notStarted', 'running') AND type = ? ORDER BY operation_key LIMIT 1;

-- name: unfinished_operations
-- Read operations that have not ended.
SELECT operation_id, type, created_at, updated_at, instructions, resources, status, is_paused, percent_complete,
    checkpoint, results, attempts FROM operation WHERE status IN ('notStarted', 'running') ORDER BY operation_key LIMIT ?;

-- name: recent_operations
-- Read the newest operations.
SELECT operation_id, type, created_at, updated_at, instructions, resources, status, is_paused, percent_complete,
    checkpoint, results, attempts FROM operation ORDER BY operation_key DESC LIMIT ?;

-- name: query_tags
-- Read all extended query tags.
SELECT query_tag_key, tag, private_creator, vr, level, status, query_status, error_count, operation_id
FROM query_tag ORDER BY query_tag_key;

-- name: insert_query_tag
-- Keep an extended query tag.
INSERT INTO query_tag (tag, private_creator, vr, level, status, query_status, operation_id)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: set_query_tag_status
-- Note how far a tag is.
UPDATE query_tag SET status = ? WHERE query_tag_key = ?;

-- name: set_query_status
-- Let searches use a tag or not.
UPDATE query_tag SET query_status = ? WHERE query_tag_key = ?;

-- name: add_query_tag_errors
-- Count errors of a tag; the first ones disable it.
UPDATE query_tag SET query_status = iif(error_count = 0, 'disabled', query_status), error_count = error_count + ?
WHERE query_tag_key = ?;

-- name: forget_query_tag
-- Drop a tag of which nothing is left.
DELETE FROM query_tag WHERE query_tag_key = ?;

-- name: stored_query_tag_name
-- Read the name that is kept of a resource.
SELECT instance_key, comparable FROM query_tag_person_name WHERE query_tag_key = ? AND resource_key = ?;

-- name: forget_query_tag_words
-- Take a resource out of the fuzzy search by a tag.
DELETE FROM query_tag_word WHERE query_tag_key = ? AND resource_key = ?;

-- name: insert_query_tag_word
-- Let a resource be found by a word of the name in a tag.
INSERT OR IGNORE INTO query_tag_word (query_tag_key, partition_key, word, resource_key) VALUES (?, ?, ?, ?);

-- name: insert_query_tag_error
-- Note that a value of an instance could not be taken, once for each tag.
INSERT OR IGNORE INTO query_tag_error (query_tag_key, partition_key, study_instance_uid, series_instance_uid,
    sop_instance_uid, code, created_at)
SELECT :query_tag_key, i.partition_key, s.study_instance_uid, e.series_instance_uid, i.sop_instance_uid, :code, :now
FROM instance i JOIN series e ON e.series_key = i.series_key JOIN study s ON s.study_key = i.study_key
WHERE i.instance_key = :instance_key;

-- name: forget_query_tag_errors
-- Drop the errors of an instance that goes.
DELETE FROM query_tag_error
WHERE partition_key = ? AND sop_instance_uid = ? AND series_instance_uid = ? AND study_instance_uid = ?
RETURNING query_tag_key;

-- name: lower_query_tag_errors
-- Count errors of a tag that went.
UPDATE query_tag SET error_count = max(0, error_count - ?) WHERE query_tag_key = ?;

-- name: forget_some_query_tag_errors
-- Drop some errors of a tag that goes.
DELETE FROM query_tag_error WHERE error_key IN (
    SELECT error_key FROM query_tag_error WHERE query_tag_key = :query_tag_key ORDER BY error_key LIMIT :limit
);

-- name: query_tag_errors
-- Read a page of the errors of a tag, the oldest first.
SELECT r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid, p.partition_name, r.code, r.created_at
FROM query_tag_error r JOIN partition p ON p.partition_key = r.partition_key
WHERE r.query_tag_key = ? ORDER BY r.error_key LIMIT ? OFFSET ?;

-- name: highest_instance_key
-- Read the last number given to an instance.
SELECT instance_key FROM counter;

-- name: stored_below
-- Read where current instances have their headers, from a number downwards.
SELECT i.instance_key, i.container, i.offset, i.length, i.block_digests, i.header_length, v.paths
FROM instance i LEFT JOIN invalid_attribute v ON v.instance_key = i.instance_key
WHERE i.instance_key < ? AND i.is_original = 0 ORDER BY i.instance_key DESC LIMIT ?;

-- name: instance_places
-- Read what instances belong to, those of a list (a JSON array) that are still current.
SELECT i.instance_key, i.partition_key, i.study_key, i.series_key
FROM json_each(:instance_keys) AS asked CROSS JOIN instance i ON i.instance_key = asked.value
WHERE i.is_original = 0;

-- name: insert_event_cursor
-- Begin to tell a receiver of events, unless it was begun before.
INSERT OR IGNORE INTO event_cursor (name, sequence, timestamp) VALUES (?, ?, ?);

-- name: event_cursor
-- Read how far a receiver has been told.
SELECT sequence, timestamp, is_of_older_feed FROM event_cursor WHERE name = ?;

-- name: update_event_cursor
-- Note how far a receiver has been told.
UPDATE event_cursor SET sequence = ?, timestamp = ?, is_of_older_feed = ? WHERE name = ?;

-- name: mark_event_cursors
-- Note that the feed is another one, with other numbers.
UPDATE event_cursor SET is_of_older_feed = 1;

-- name: restart_reindexes
-- Let reindexes of extended query tags begin anew where instances got other numbers.
UPDATE operation SET checkpoint = CAST('null' AS BLOB) WHERE type = 'reindex' AND status IN ('notStarted', 'running');

-- name: external_tags
-- Read the tags of external metadata with their VRs.
SELECT tag, vr FROM external_tag ORDER BY tag;

-- name: insert_external_tag
-- Make a tag of external metadata known.
INSERT INTO external_tag (tag, vr) VALUES (?, ?);

-- name: partition_of_study
-- Find the number of a partition that has a study.
SELECT p.partition_key FROM partition p
JOIN study s ON s.partition_key = p.partition_key AND s.study_instance_uid = ?2
WHERE p.partition_name = ?1;

-- name: store_external_value
-- Keep a value of a study in the place of the one before.
INSERT INTO external_metadata (partition_key, study_instance_uid, tag, value, comparable, words, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (partition_key, study_instance_uid, tag) DO UPDATE SET
    value = excluded.value, comparable = excluded.comparable, words = excluded.words,
    changed_at = max(changed_at, excluded.changed_at);

-- name: external_values
-- Read what the studies of a list (a JSON array of UIDs) have.
SELECT m.study_instance_uid, m.tag, t.vr, m.value, m.changed_at
FROM partition p
CROSS JOIN json_each(:study_instance_uids) AS asked
CROSS JOIN external_metadata m ON m.partition_key = p.partition_key AND m.study_instance_uid = asked.value
JOIN external_tag t ON t.tag = m.tag
WHERE p.partition_name = :partition_name
ORDER BY m.study_instance_uid, m.tag;

-- name: forget_external_values
-- Forget the external metadata of a study that goes.
DELETE FROM external_metadata
WHERE (partition_key, study_instance_uid) = (SELECT partition_key, study_instance_uid FROM study WHERE study_key = ?);

-- name: copy_external_values
-- Give a study the external metadata of the one that an instance of it is moved out of, where it has none of its own.
INSERT OR IGNORE INTO external_metadata (partition_key, study_instance_uid, tag, value, comparable, words, changed_at)
SELECT m.partition_key, :study_instance_uid, m.tag, m.value, m.comparable, m.words, :now
FROM instance i
JOIN study s ON s.study_key = i.study_key
JOIN external_metadata m ON m.partition_key = s.partition_key AND m.study_instance_uid = s.study_instance_uid
WHERE i.instance_key = :instance_key;
