-- The whole schema, as all migrations together leave it. Columns of attributes bear the keyword in snake case;
-- beside them stand the forms in which they are compared (isocenter.domain.forms).

CREATE TABLE partition (
    partition_key INTEGER PRIMARY KEY,
    partition_name TEXT NOT NULL UNIQUE,
    studies INTEGER NOT NULL DEFAULT 0,
    series INTEGER NOT NULL DEFAULT 0,
    instances INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL DEFAULT 0
) STRICT;
INSERT INTO partition (partition_key, partition_name, created_at) VALUES (1, 'Microsoft.Default', unixepoch('subsec'));

-- The last number given of each kind. Numbers are taken inside the transaction and never given twice.
CREATE TABLE counter (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    study_key INTEGER NOT NULL,
    series_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    delivery_key INTEGER NOT NULL,
    erasure_key INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (1, 0, 0, 0, 0, 0, 0);

CREATE TABLE study (
    study_key INTEGER PRIMARY KEY,
    partition_key INTEGER NOT NULL,
    number_of_series INTEGER NOT NULL,
    number_of_instances INTEGER NOT NULL,
    newest_instance_key INTEGER NOT NULL,
    modalities_in_study TEXT,
    study_instance_uid TEXT NOT NULL,
    study_date TEXT,
    study_time TEXT,
    study_time_padded TEXT,
    accession_number TEXT,
    accession_number_caseless TEXT,
    referring_physician_name TEXT,
    referring_physician_name_folded TEXT,
    referring_physician_name_words TEXT,
    timezone_offset_from_utc TEXT,
    timezone_offset_from_utc_caseless TEXT,
    study_description TEXT,
    study_description_caseless TEXT,
    patient_name TEXT,
    patient_name_folded TEXT,
    patient_name_words TEXT,
    patient_id TEXT,
    patient_id_caseless TEXT,
    issuer_of_patient_id TEXT,
    issuer_of_patient_id_caseless TEXT,
    patient_birth_date TEXT,
    patient_sex TEXT,
    patient_sex_caseless TEXT,
    study_id TEXT,
    study_id_caseless TEXT,
    sop_classes_in_study TEXT
) STRICT;
CREATE UNIQUE INDEX study_by_uid ON study (partition_key, study_instance_uid);
CREATE INDEX study_by_key ON study (partition_key);
CREATE INDEX study_by_patient_id ON study (partition_key, patient_id_caseless);
CREATE INDEX study_by_patient ON study (partition_key, patient_id, issuer_of_patient_id);
CREATE INDEX study_by_patient_name ON study (partition_key, patient_name_folded);
CREATE INDEX study_by_accession_number ON study (partition_key, accession_number_caseless);
CREATE INDEX study_by_date ON study (partition_key, study_date);
CREATE INDEX study_by_birth_date ON study (partition_key, patient_birth_date);
CREATE INDEX study_by_referring_physician ON study (partition_key, referring_physician_name_folded);
CREATE INDEX study_by_description ON study (partition_key, study_description_caseless);
CREATE INDEX study_by_id ON study (partition_key, study_id_caseless);

-- The words of person names, for fuzzy matching: each word leads to the studies that have it.
CREATE TABLE study_name_word (
    partition_key INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    word TEXT NOT NULL,
    study_key INTEGER NOT NULL REFERENCES study ON DELETE CASCADE,
    PRIMARY KEY (partition_key, attribute, word, study_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_name_word_by_study ON study_name_word (study_key);

CREATE TABLE series (
    series_key INTEGER PRIMARY KEY,
    partition_key INTEGER NOT NULL,
    study_key INTEGER NOT NULL REFERENCES study,
    number_of_instances INTEGER NOT NULL,
    newest_instance_key INTEGER NOT NULL,
    series_instance_uid TEXT NOT NULL,
    modality TEXT,
    modality_caseless TEXT,
    series_date TEXT,
    series_time TEXT,
    series_time_padded TEXT,
    series_description TEXT,
    series_description_caseless TEXT,
    manufacturer_model_name TEXT,
    manufacturer_model_name_caseless TEXT,
    body_part_examined TEXT,
    body_part_examined_caseless TEXT,
    series_number TEXT,
    series_number_integer TEXT,
    laterality TEXT,
    laterality_caseless TEXT,
    performed_procedure_step_start_date TEXT,
    performed_procedure_step_start_time TEXT,
    performed_procedure_step_start_time_padded TEXT
) STRICT;
CREATE UNIQUE INDEX series_by_study ON series (study_key, series_instance_uid);
CREATE INDEX series_by_uid ON series (partition_key, series_instance_uid);
CREATE INDEX series_by_key ON series (partition_key);
CREATE INDEX series_by_modality ON series (partition_key, modality_caseless);
CREATE INDEX series_by_performed_date ON series (partition_key, performed_procedure_step_start_date);
CREATE INDEX series_by_model ON series (partition_key, manufacturer_model_name_caseless);

-- Which modalities a study has, in the order of a search: newest studies last.
CREATE TABLE study_modality (
    partition_key INTEGER NOT NULL,
    modality_caseless TEXT NOT NULL,
    study_key INTEGER NOT NULL REFERENCES study ON DELETE CASCADE,
    PRIMARY KEY (partition_key, modality_caseless, study_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_modality_by_study ON study_modality (study_key);

-- Which SOP classes a study has, in the order of a search: newest studies last.
CREATE TABLE study_sop_class (
    partition_key INTEGER NOT NULL,
    sop_class_uid TEXT NOT NULL,
    study_key INTEGER NOT NULL REFERENCES study ON DELETE CASCADE,
    PRIMARY KEY (partition_key, sop_class_uid, study_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_sop_class_by_study ON study_sop_class (study_key);

-- The items of RequestAttributesSequence: the requests that a series answers.
CREATE TABLE series_request (
    series_key INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    item_number INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    accession_number TEXT,
    accession_number_caseless TEXT,
    scheduled_procedure_step_id TEXT,
    scheduled_procedure_step_id_caseless TEXT,
    requested_procedure_id TEXT,
    requested_procedure_id_caseless TEXT,
    PRIMARY KEY (series_key, item_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX series_request_by_accession_number ON series_request (partition_key, accession_number_caseless);
CREATE INDEX series_request_by_step ON series_request (partition_key, scheduled_procedure_step_id_caseless);
CREATE INDEX series_request_by_procedure ON series_request (partition_key, requested_procedure_id_caseless);

-- Current versions and kept originals. What is large stands last, so that reading the rest does not touch it.
CREATE TABLE instance (
    instance_key INTEGER PRIMARY KEY,
    partition_key INTEGER NOT NULL,
    study_key INTEGER NOT NULL,
    series_key INTEGER NOT NULL REFERENCES series,
    is_original INTEGER NOT NULL,
    has_original INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    content_date TEXT,
    content_time TEXT,
    content_time_padded TEXT,
    instance_number TEXT,
    instance_number_integer TEXT,
    number_of_frames TEXT,
    number_of_frames_integer TEXT,
    rows TEXT,
    columns TEXT,
    bits_allocated TEXT,
    transfer_syntax_uid TEXT NOT NULL,
    container INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    header_length INTEGER NOT NULL,
    received_at REAL NOT NULL,
    source TEXT NOT NULL,
    block_digests BLOB NOT NULL,
    frame_table BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX instance_by_series ON instance (series_key, sop_instance_uid, is_original);
CREATE INDEX instance_by_uid ON instance (partition_key, sop_instance_uid);
CREATE INDEX instance_by_key ON instance (partition_key) WHERE is_original = 0;

-- Elements whose values are not valid, by path, one a line: metadata leaves them out. Instances without any have no row.
CREATE TABLE invalid_attribute (
    instance_key INTEGER PRIMARY KEY REFERENCES instance ON DELETE CASCADE,
    paths TEXT NOT NULL
) STRICT;

CREATE TABLE change_feed (
    sequence INTEGER PRIMARY KEY,
    partition_key INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    action TEXT NOT NULL,
    timestamp REAL NOT NULL,
    instance_key INTEGER NOT NULL
) STRICT;

-- What the rules said of instances: few, and each for many deliveries; transforms are JSON.
CREATE TABLE delivery_plan (
    plan_key INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    channel TEXT NOT NULL,
    rule TEXT NOT NULL,
    configuration_version INTEGER NOT NULL,
    transforms TEXT NOT NULL,
    priority TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    awaits_study INTEGER NOT NULL,
    UNIQUE (destination, channel, rule, configuration_version, transforms, priority, calling_ae_title, awaits_study)
) STRICT;

-- The counters of the ledger: one row for each channel, destination and state. They move with each step.
CREATE TABLE delivery_tally (
    tally_key INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    destination TEXT NOT NULL,
    UNIQUE (channel, destination)
) STRICT;
CREATE TABLE delivery_count (
    tally_key INTEGER NOT NULL REFERENCES delivery_tally,
    state TEXT NOT NULL,
    number INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (tally_key, state)
) STRICT, WITHOUT ROWID;

-- A study on its way to a destination, with the counters of its deliveries. It is named by its UID, because it outlives
-- what is stored.
CREATE TABLE delivery_study (
    delivery_study_key INTEGER PRIMARY KEY,
    partition_key INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    last_received_at REAL NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0,
    sending INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    needs_human INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    delivered_with_note INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX delivery_study_by_uid ON delivery_study (study_instance_uid, destination, partition_key);
CREATE INDEX delivery_study_by_time ON delivery_study (destination, last_received_at);
CREATE INDEX delivery_study_open ON delivery_study (destination, last_received_at)
    WHERE queued + sending + held + needs_human > 0;
CREATE INDEX delivery_study_unusual ON delivery_study (destination, last_received_at)
    WHERE delivered_with_note + cancelled > 0;

-- A series within it.
CREATE TABLE delivery_series (
    delivery_series_key INTEGER PRIMARY KEY,
    delivery_study_key INTEGER NOT NULL REFERENCES delivery_study,
    series_instance_uid TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_series_by_study ON delivery_series (delivery_study_key, series_instance_uid);
CREATE INDEX delivery_series_by_uid ON delivery_series (series_instance_uid);

-- The ledger: a version of an instance on its way to a destination. Rows outlive their instance: `instance_key` is then
-- that of nothing, below zero while the index is rebuilt, and zero where a rebuild did not find the version again.
-- Destination, priority and tally stand in the plan too; here they are for the indexes. What has ended is in no index
-- by which senders look.
CREATE TABLE delivery (
    delivery_key INTEGER PRIMARY KEY,
    instance_key INTEGER NOT NULL,
    delivery_series_key INTEGER NOT NULL REFERENCES delivery_series,
    sop_instance_uid TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    plan_key INTEGER NOT NULL REFERENCES delivery_plan,
    tally_key INTEGER NOT NULL REFERENCES delivery_tally,
    destination TEXT NOT NULL,
    priority TEXT NOT NULL,
    state TEXT NOT NULL,
    received_at REAL NOT NULL,
    due_at REAL NOT NULL,
    lease_number INTEGER NOT NULL,
    leased_until REAL,
    failures INTEGER NOT NULL,
    wish TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_by_instance ON delivery (instance_key, destination) WHERE instance_key <> 0;
CREATE INDEX delivery_by_series ON delivery (delivery_series_key);
CREATE INDEX delivery_by_uid ON delivery (sop_instance_uid);
CREATE INDEX delivery_by_state ON delivery (tally_key, state);
CREATE INDEX delivery_by_note ON delivery (tally_key, state, note) WHERE note <> '';
CREATE INDEX delivery_queued ON delivery (destination, priority, due_at) WHERE state = 'queued';
CREATE INDEX delivery_sending ON delivery (leased_until) WHERE state = 'sending';
CREATE INDEX delivery_waiting ON delivery (destination, received_at) WHERE state IN ('queued', 'sending', 'held');

-- What the last attempts of a delivery came to.
CREATE TABLE delivery_attempt (
    delivery_key INTEGER NOT NULL REFERENCES delivery ON DELETE CASCADE,
    attempt_number INTEGER NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    note TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (delivery_key, attempt_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure (
    erasure_key INTEGER PRIMARY KEY,
    container INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    block_digests BLOB NOT NULL,
    due_at REAL NOT NULL
) STRICT;
CREATE INDEX erasure_by_due_at ON erasure (due_at, erasure_key);

-- How far the index has taken in each container of the blob store.
CREATE TABLE pack_position (
    container INTEGER PRIMARY KEY,
    length INTEGER NOT NULL
) STRICT;

-- Items of the modality work list, each as it was handed in, with its texts (JSON) to be matched.
CREATE TABLE worklist_item (
    item_key INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT NOT NULL UNIQUE,
    added_at REAL NOT NULL,
    source TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    attribute_values BLOB NOT NULL,
    content BLOB NOT NULL
) STRICT;

-- Their scheduled steps, which a query answers with. Texts stand between backslashes in the form in which they are
-- compared; they narrow a search down, and the item's own texts decide.
CREATE TABLE worklist_step (
    step_key INTEGER PRIMARY KEY AUTOINCREMENT,
    item_key INTEGER NOT NULL REFERENCES worklist_item ON DELETE CASCADE,
    step_number INTEGER NOT NULL,
    state TEXT NOT NULL,
    start_day TEXT NOT NULL,
    start_time TEXT NOT NULL,
    named_study TEXT,
    named_step TEXT,
    patient_id TEXT NOT NULL,
    patient_name_folded TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    requested_procedure_id TEXT NOT NULL,
    scheduled_procedure_step_id TEXT NOT NULL,
    modality_caseless TEXT NOT NULL,
    scheduled_station_ae_title TEXT NOT NULL
) STRICT;
CREATE INDEX worklist_step_by_item ON worklist_step (item_key);
CREATE INDEX worklist_step_by_name ON worklist_step (named_study, named_step);

-- Modality performed procedure steps, as Explicit VR Little Endian.
CREATE TABLE performed_step (
    performed_step_key INTEGER PRIMARY KEY AUTOINCREMENT,
    sop_instance_uid TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    ae_title TEXT NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    revision INTEGER NOT NULL,
    scheduled_steps TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;

-- Storage commitment transactions of both sides; references and result are JSON.
CREATE TABLE commitment (
    commitment_key INTEGER PRIMARY KEY AUTOINCREMENT,
    side TEXT NOT NULL,
    transaction_uid TEXT NOT NULL,
    peer_ae_title TEXT NOT NULL,
    own_ae_title TEXT NOT NULL,
    requested_at REAL NOT NULL,
    state TEXT NOT NULL,
    is_duplicate INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    problem TEXT NOT NULL,
    named_count INTEGER NOT NULL,
    instance_references TEXT NOT NULL,
    result TEXT
) STRICT;
CREATE INDEX commitment_by_transaction ON commitment (side, transaction_uid);
CREATE INDEX commitment_by_due ON commitment (due_at) WHERE state IN ('requested', 'checked', 'asked');

-- Long work that callers start and ask about later; instructions, checkpoint and results are JSON.
CREATE TABLE operation (
    operation_key INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    instructions BLOB NOT NULL,
    resources TEXT NOT NULL,
    status TEXT NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0,
    percent_complete INTEGER,
    checkpoint BLOB NOT NULL,
    results BLOB NOT NULL,
    attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX operation_unfinished ON operation (operation_key) WHERE status IN ('notStarted', 'running');

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

-- How far each receiver of events has been told of the change feed.
CREATE TABLE event_cursor (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    timestamp REAL NOT NULL,
    is_of_older_feed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

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

-- Extended query tags: attributes that an operator has indexed beside those of every archive.
CREATE TABLE query_tag (
    query_tag_key INTEGER PRIMARY KEY AUTOINCREMENT,
    tag INTEGER NOT NULL UNIQUE,
    private_creator TEXT NOT NULL,
    vr TEXT NOT NULL,
    level INTEGER NOT NULL,
    status TEXT NOT NULL,
    query_status TEXT NOT NULL,
    error_count INTEGER NOT NULL DEFAULT 0,
    operation_id TEXT NOT NULL
) STRICT;

-- Stored values that a reindex could not take. Instances are named by their UIDs, which outlive a rebuild of the index.
CREATE TABLE query_tag_error (
    error_key INTEGER PRIMARY KEY AUTOINCREMENT,
    query_tag_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    code INTEGER NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX query_tag_error_by_instance ON query_tag_error (
    partition_key, sop_instance_uid, series_instance_uid, study_instance_uid, query_tag_key
);
CREATE INDEX query_tag_error_by_tag ON query_tag_error (query_tag_key, error_key);

-- Values of tags, one for each study, series or instance, as the level of the tag says. `resource_key` is its key there,
-- `instance_key` that of the instance which the value is from: a later instance overwrites it.
CREATE TABLE query_tag_string (
    query_tag_key INTEGER NOT NULL,
    resource_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable TEXT NOT NULL,
    PRIMARY KEY (query_tag_key, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_string_by_value ON query_tag_string (query_tag_key, partition_key, comparable);

CREATE TABLE query_tag_person_name (
    query_tag_key INTEGER NOT NULL,
    resource_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable TEXT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (query_tag_key, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_person_name_by_value ON query_tag_person_name (query_tag_key, partition_key, comparable);

-- The words of those names, for fuzzy matching.
CREATE TABLE query_tag_word (
    query_tag_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    word TEXT NOT NULL,
    resource_key INTEGER NOT NULL,
    PRIMARY KEY (query_tag_key, partition_key, word, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_word_by_resource ON query_tag_word (query_tag_key, resource_key);

CREATE TABLE query_tag_date_time (
    query_tag_key INTEGER NOT NULL,
    resource_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable TEXT NOT NULL,
    PRIMARY KEY (query_tag_key, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_date_time_by_value ON query_tag_date_time (query_tag_key, partition_key, comparable);

CREATE TABLE query_tag_integer (
    query_tag_key INTEGER NOT NULL,
    resource_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable INTEGER NOT NULL,
    PRIMARY KEY (query_tag_key, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_integer_by_value ON query_tag_integer (query_tag_key, partition_key, comparable);

CREATE TABLE query_tag_double (
    query_tag_key INTEGER NOT NULL,
    resource_key INTEGER NOT NULL,
    partition_key INTEGER NOT NULL,
    instance_key INTEGER NOT NULL,
    value TEXT NOT NULL,
    comparable REAL NOT NULL,
    PRIMARY KEY (query_tag_key, resource_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX query_tag_double_by_value ON query_tag_double (query_tag_key, partition_key, comparable);

-- New versions that become current together: durable, and seen by nobody until their revision is concluded. The
-- description is JSON.
CREATE TABLE staged_version (
    staged_key INTEGER PRIMARY KEY AUTOINCREMENT,
    revision_id TEXT NOT NULL,
    replaced_key INTEGER,
    description BLOB NOT NULL,
    container INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    block_digests BLOB NOT NULL,
    frame_table BLOB NOT NULL
) STRICT;
CREATE INDEX staged_version_by_revision ON staged_version (revision_id, replaced_key);

-- Revisions that were concluded, for operations that were cut off between that and their next step.
CREATE TABLE concluded_revision (
    revision_id TEXT PRIMARY KEY,
    instances INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

-- What the planner believes about sizes, fixed so that plans are the same in every archive, at every size: a partition
-- says nothing, a UID says everything, other keys leave a handful. Rows in the table, then rows per value of each
-- column of the index.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('partition', 'sqlite_autoindex_partition_1', '4 1'),
    ('study', 'study_by_uid', '1000000 1000000 1'),
    ('study', 'study_by_key', '1000000 1000000'),
    ('study', 'study_by_patient_id', '1000000 1000000 4'),
    ('study', 'study_by_patient_name', '1000000 1000000 5'),
    ('study', 'study_by_accession_number', '1000000 1000000 2'),
    ('study', 'study_by_date', '1000000 1000000 300'),
    ('study', 'study_by_birth_date', '1000000 1000000 40'),
    ('study', 'study_by_referring_physician', '1000000 1000000 1000'),
    ('study', 'study_by_description', '1000000 1000000 1000'),
    ('study', 'study_by_id', '1000000 1000000 100'),
    ('study_name_word', 'study_name_word', '4000000 4000000 2000000 100 1'),
    ('study_name_word', 'study_name_word_by_study', '4000000 4'),
    ('series', 'series_by_study', '3000000 3 1'),
    ('series', 'series_by_uid', '3000000 3000000 1'),
    ('series', 'series_by_key', '3000000 3000000'),
    ('series', 'series_by_modality', '3000000 3000000 300000'),
    ('series', 'series_by_performed_date', '3000000 3000000 1000'),
    ('series', 'series_by_model', '3000000 3000000 30000'),
    ('study_modality', 'study_modality', '1200000 1200000 120000 1'),
    ('study_modality', 'study_modality_by_study', '1200000 1'),
    ('instance', 'instance_by_series', '300000000 100 1 1'),
    ('instance', 'instance_by_uid', '300000000 300000000 1'),
    ('instance', 'instance_by_key', '300000000 300000000'),
    ('study', 'study_by_patient', '1000000 1000000 4 4'),
    ('study_sop_class', 'study_sop_class', '1500000 1500000 120000 1'),
    ('study_sop_class', 'study_sop_class_by_study', '1500000 2'),
    ('series_request', 'series_request', '3000000 1 1'),
    ('series_request', 'series_request_by_accession_number', '3000000 3000000 4'),
    ('series_request', 'series_request_by_step', '3000000 3000000 4'),
    ('series_request', 'series_request_by_procedure', '3000000 3000000 4'),
    ('query_tag_string', 'query_tag_string', '10000000 1000000 1'),
    ('query_tag_string', 'query_tag_string_by_value', '10000000 1000000 1000000 20 1'),
    ('query_tag_person_name', 'query_tag_person_name', '10000000 1000000 1'),
    ('query_tag_person_name', 'query_tag_person_name_by_value', '10000000 1000000 1000000 20 1'),
    ('query_tag_word', 'query_tag_word', '20000000 2000000 2000000 100 1'),
    ('query_tag_word', 'query_tag_word_by_resource', '20000000 2000000 3 1'),
    ('query_tag_date_time', 'query_tag_date_time', '10000000 1000000 1'),
    ('query_tag_date_time', 'query_tag_date_time_by_value', '10000000 1000000 1000000 300 1'),
    ('query_tag_integer', 'query_tag_integer', '10000000 1000000 1'),
    ('query_tag_integer', 'query_tag_integer_by_value', '10000000 1000000 1000000 100 1'),
    ('query_tag_double', 'query_tag_double', '10000000 1000000 1'),
    ('query_tag_double', 'query_tag_double_by_value', '10000000 1000000 1000000 100 1'),
    ('external_metadata', 'external_metadata', '1000000 1000000 4 1'),
    ('external_metadata', 'external_metadata_by_value', '1000000 200000 200000 20 1');
