-- The work list, performed procedure steps and storage commitment.

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
