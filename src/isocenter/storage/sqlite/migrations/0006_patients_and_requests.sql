-- Let patients be searched, and studies by SOP class. The requests of series are in their instances alone: `isocenter
-- reindex` takes those over of what was stored before.

ALTER TABLE study ADD COLUMN sop_classes_in_study TEXT;
CREATE INDEX study_by_patient ON study (partition_key, patient_id, issuer_of_patient_id);

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

INSERT INTO study_sop_class (partition_key, sop_class_uid, study_key)
SELECT DISTINCT e.partition_key, i.sop_class_uid, e.study_key
FROM series e JOIN instance i ON i.series_key = e.series_key WHERE i.is_original = 0;
UPDATE study SET sop_classes_in_study = (
    SELECT group_concat(sop_class_uid, '\') FROM (
        SELECT c.sop_class_uid FROM study_sop_class c WHERE c.study_key = study.study_key ORDER BY c.sop_class_uid
    )
);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('study', 'study_by_patient', '1000000 1000000 4 4'),
    ('study_sop_class', 'study_sop_class', '1500000 1500000 120000 1'),
    ('study_sop_class', 'study_sop_class_by_study', '1500000 2'),
    ('series_request', 'series_request', '3000000 1 1'),
    ('series_request', 'series_request_by_accession_number', '3000000 3000000 4'),
    ('series_request', 'series_request_by_step', '3000000 3000000 4'),
    ('series_request', 'series_request_by_procedure', '3000000 3000000 4');
