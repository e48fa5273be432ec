"""The statements of a job's database: what each table holds, and what is asked of it.

A job is one file of SQLite. Nothing of it is a copy of the archive: what was listed, what was sent, what came of it.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE fact (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL                    -- JSON; never a secret
) STRICT, WITHOUT ROWID;

CREATE TABLE slice (                     -- searches of the inventory that were answered
  first_day TEXT NOT NULL, last_day TEXT NOT NULL,
  first_minute INTEGER NOT NULL, last_minute INTEGER NOT NULL,
  count INTEGER NOT NULL, undated INTEGER NOT NULL, median_day TEXT NOT NULL,
  is_cut INTEGER NOT NULL, is_whole INTEGER NOT NULL,
  PRIMARY KEY (first_day, last_day, first_minute, last_minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE study (
  study_instance_uid TEXT PRIMARY KEY,
  study_date TEXT NOT NULL,
  counted INTEGER,                       -- as the source counts its instances
  listing TEXT NOT NULL DEFAULT 'open',  -- open, done, refused
  wave INTEGER,                          -- NULL: not planned to move
  place INTEGER                          -- within all waves
) STRICT, WITHOUT ROWID;

CREATE TABLE patient (
  study_instance_uid TEXT NOT NULL, patient_id TEXT NOT NULL,
  PRIMARY KEY (study_instance_uid, patient_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
  series_key INTEGER PRIMARY KEY,
  study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', -- waiting, moving, moved
  seconds REAL NOT NULL DEFAULT 0, size_bytes INTEGER NOT NULL DEFAULT 0, moved INTEGER NOT NULL DEFAULT 0,
  UNIQUE (study_instance_uid, series_instance_uid)
) STRICT;

CREATE TABLE instance (
  series_key INTEGER NOT NULL, sop_instance_uid TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL, path TEXT NOT NULL,      -- of a source that is a folder
  state TEXT NOT NULL DEFAULT 'waiting',
  attempts INTEGER NOT NULL DEFAULT 0,                  -- how often it was sent, or may have been
  size_bytes INTEGER NOT NULL DEFAULT 0,
  family TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '',
  code TEXT NOT NULL DEFAULT '', told TEXT NOT NULL DEFAULT '',
  changed_at TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (series_key, sop_instance_uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX instance_by_state ON instance (state, series_key);

CREATE TABLE anomaly (
  kind TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (kind, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE finding (                   -- of the last verification
  study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL,
  kind TEXT NOT NULL, told TEXT NOT NULL,
  PRIMARY KEY (study_instance_uid, series_instance_uid, sop_instance_uid)
) STRICT, WITHOUT ROWID;
"""

PUT_FACT = "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
GET_FACT = "SELECT value FROM fact WHERE name = ?"

PUT_SLICE = "INSERT OR REPLACE INTO slice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET_SLICES = "SELECT * FROM slice"
PUT_STUDY = """
INSERT INTO study (study_instance_uid, study_date, counted) VALUES (?, ?, ?)
ON CONFLICT (study_instance_uid) DO UPDATE SET
  study_date = CASE study_date WHEN '' THEN excluded.study_date ELSE study_date END,
  counted = coalesce(excluded.counted, counted)
"""
PUT_PATIENT = "INSERT OR IGNORE INTO patient VALUES (?, ?)"
PUT_SERIES = "INSERT OR IGNORE INTO series (study_instance_uid, series_instance_uid) VALUES (?, ?)"
PUT_INSTANCE = """
INSERT INTO instance (series_key, sop_instance_uid, sop_class_uid, path)
SELECT series_key, ?, ?, ? FROM series WHERE study_instance_uid = ? AND series_instance_uid = ?
ON CONFLICT (series_key, sop_instance_uid) DO NOTHING
"""
PATH_OF = """
SELECT path FROM series JOIN instance USING (series_key)
WHERE study_instance_uid = ? AND series_instance_uid = ? AND sop_instance_uid = ?
"""
SET_LISTING = "UPDATE study SET listing = ? WHERE study_instance_uid = ?"
UNLISTED_STUDIES = "SELECT study_instance_uid FROM study WHERE listing = 'open' ORDER BY study_instance_uid"
PUT_ANOMALY = "INSERT OR IGNORE INTO anomaly VALUES (?, ?)"
GET_ANOMALIES = "SELECT kind, place FROM anomaly ORDER BY kind, place"
CLEAR_ANOMALIES = "DELETE FROM anomaly WHERE kind = ?"
STUDY_FACTS = """
SELECT study_instance_uid, study_date, counted, listing,
  (SELECT json_group_array(patient_id) FROM patient WHERE patient.study_instance_uid = study.study_instance_uid),
  (SELECT count(*) FROM series JOIN instance USING (series_key)
    WHERE series.study_instance_uid = study.study_instance_uid),
  (SELECT json_group_array(DISTINCT sop_class_uid) FROM series JOIN instance USING (series_key)
    WHERE series.study_instance_uid = study.study_instance_uid AND sop_class_uid <> '')
FROM study ORDER BY study_instance_uid
"""
CLEAR_WAVES = "UPDATE study SET wave = NULL, place = NULL"
SET_WAVE = "UPDATE study SET wave = ?, place = ? WHERE study_instance_uid = ?"

STUDIES_TO_MOVE = """
SELECT study.study_instance_uid, listing FROM study
WHERE wave IS NOT NULL AND (? IS NULL OR wave = ?) AND (listing = 'open' OR EXISTS (
  SELECT 1 FROM series WHERE series.study_instance_uid = study.study_instance_uid AND state <> 'moved'))
ORDER BY place
"""
SERIES_TO_MOVE = """
SELECT series_key, series_instance_uid FROM series WHERE study_instance_uid = ? AND state <> 'moved'
ORDER BY series_instance_uid
"""
SET_SERIES = "UPDATE series SET state = ? WHERE series_key = ?"
END_SERIES = """
UPDATE series SET state = ?, seconds = seconds + ?, size_bytes = size_bytes + ?, moved = moved + ? WHERE series_key = ?
"""
MEASURED = """
SELECT moved, size_bytes, seconds FROM series WHERE state = 'moved' AND moved > 0 ORDER BY series_key DESC LIMIT 1000
"""
INSTANCES_OF_SERIES = """
SELECT sop_instance_uid, sop_class_uid, path, state, attempts, size_bytes, family, sha256, code, told
FROM instance WHERE series_key = ? ORDER BY sop_instance_uid
"""
NOTE_SENDING = """
UPDATE instance SET state = 'sending', attempts = attempts + 1, size_bytes = ?, family = ?, sha256 = ?, changed_at = ?
WHERE series_key = ? AND sop_instance_uid = ?
"""
NOTE_OUTCOME = """
UPDATE instance SET state = ?, code = ?, told = ?, changed_at = ? WHERE series_key = ? AND sop_instance_uid = ?
"""
BEGIN_AGAIN = ("DELETE FROM slice", "UPDATE study SET listing = 'open'")
TRY_AGAIN = "UPDATE instance SET state = 'waiting' WHERE state IN ('needs-human', 'not-sent-by-source')"
TRY_SERIES_AGAIN = """
UPDATE series SET state = 'waiting' WHERE series_key IN (SELECT series_key FROM instance WHERE state = 'waiting')
"""
TRY_SERIES_OF_STUDY_AGAIN = """
UPDATE series SET state = 'waiting' WHERE study_instance_uid = ? AND state = 'moved' AND EXISTS (
  SELECT 1 FROM instance WHERE instance.series_key = series.series_key AND instance.state = 'waiting')
"""
STATES = """
SELECT instance.state, count(*), coalesce(sum(instance.size_bytes), 0), coalesce(sum(attempts > 1), 0) FROM instance
JOIN series USING (series_key) JOIN study USING (study_instance_uid) WHERE (? OR wave IS NOT NULL) GROUP BY 1
"""
STUDY_COUNTS = "SELECT count(*), coalesce(sum(wave IS NOT NULL), 0), coalesce(sum(listing = 'open'), 0) FROM study"
WAVES = """
SELECT wave, count(*), min(nullif(study_date, '')), max(study_date), sum((
  SELECT count(*) FROM series JOIN instance USING (series_key)
  WHERE series.study_instance_uid = study.study_instance_uid)), coalesce(sum(counted), 0)
FROM study WHERE wave IS NOT NULL GROUP BY wave ORDER BY wave
"""
SHELF = """
SELECT study_instance_uid, series_instance_uid, sop_instance_uid, code, told
FROM instance JOIN series USING (series_key)
WHERE instance.state IN ('needs-human', 'not-sent-by-source') ORDER BY 1, 2, 3 LIMIT ?
"""
MOVED_STUDIES = """
SELECT DISTINCT study_instance_uid FROM series JOIN instance USING (series_key)
WHERE instance.state IN ('delivered', 'delivered-with-note') ORDER BY 1
"""
MOVED_OF_STUDY = """
SELECT series_instance_uid, sop_instance_uid, sop_class_uid, family, sha256, series_key FROM series
JOIN instance USING (series_key)
WHERE study_instance_uid = ? AND instance.state IN ('delivered', 'delivered-with-note') ORDER BY 1, 2
"""
PLANNED_STUDIES = "SELECT study_instance_uid FROM study WHERE wave IS NOT NULL ORDER BY 1"
INSTANCES_OF_STUDY = """
SELECT study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, instance.state, attempts,
  instance.size_bytes, family, sha256, code, changed_at
FROM instance JOIN series USING (series_key) WHERE study_instance_uid = ? ORDER BY 2, 3
"""
CLEAR_FINDINGS = "DELETE FROM finding"
PUT_FINDING = "INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?, ?)"
DROP_FINDING = "DELETE FROM finding WHERE study_instance_uid = ? AND series_instance_uid = ? AND sop_instance_uid = ?"
GET_FINDINGS = "SELECT * FROM finding ORDER BY kind, 1, 2, 3"
COUNT_FINDINGS = "SELECT kind, count(*) FROM finding GROUP BY kind ORDER BY kind"
SERIES_KEY = "SELECT series_key FROM series WHERE study_instance_uid = ? AND series_instance_uid = ?"
QUEUE_AGAIN = "UPDATE instance SET state = 'waiting' WHERE series_key = ? AND sop_instance_uid = ?"
