-- The ledger. Rows of before, which nobody sent yet, go on with the identifiers that the feed has of them.

DROP INDEX delivery_by_destination;
DROP INDEX delivery_by_instance;
ALTER TABLE delivery RENAME TO older_delivery;

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

INSERT INTO delivery_plan (destination, channel, rule, configuration_version, transforms, priority, calling_ae_title,
    awaits_study)
SELECT DISTINCT destination, '', '', 0, '[]', 'routine', '', 0 FROM older_delivery;
INSERT INTO delivery_tally (channel, destination) SELECT DISTINCT '', destination FROM older_delivery;

CREATE TABLE named_delivery AS
SELECT d.delivery_key, d.instance_key, d.destination, CASE d.state WHEN 'waiting' THEN 'queued' ELSE 'cancelled' END AS state,
    f.partition_key, f.study_instance_uid, f.series_instance_uid, f.sop_instance_uid, f.timestamp,
    coalesce(i.length, 0) AS size_bytes
FROM older_delivery d
JOIN change_feed f ON f.instance_key = d.instance_key AND f.action <> 'Delete'
LEFT JOIN instance i ON i.instance_key = d.instance_key;

INSERT INTO delivery_study (partition_key, study_instance_uid, destination, last_received_at)
SELECT partition_key, study_instance_uid, destination, max(timestamp) FROM named_delivery
GROUP BY partition_key, study_instance_uid, destination;
INSERT INTO delivery_series (delivery_study_key, series_instance_uid)
SELECT DISTINCT s.delivery_study_key, d.series_instance_uid
FROM named_delivery d
JOIN delivery_study s ON s.study_instance_uid = d.study_instance_uid AND s.destination = d.destination
    AND s.partition_key = d.partition_key;
INSERT OR IGNORE INTO delivery
SELECT d.delivery_key, d.instance_key, e.delivery_series_key, d.sop_instance_uid, d.size_bytes, p.plan_key, t.tally_key,
    d.destination, 'routine', d.state, d.timestamp, d.timestamp, 0, NULL, 0, 'none', ''
FROM named_delivery d
JOIN delivery_study s ON s.study_instance_uid = d.study_instance_uid AND s.destination = d.destination
    AND s.partition_key = d.partition_key
JOIN delivery_series e ON e.delivery_study_key = s.delivery_study_key AND e.series_instance_uid = d.series_instance_uid
JOIN delivery_plan p ON p.destination = d.destination
JOIN delivery_tally t ON t.destination = d.destination;
UPDATE delivery_study SET queued = c.queued, cancelled = c.cancelled
FROM (
    SELECT e.delivery_study_key, count(*) FILTER (WHERE d.state = 'queued') AS queued,
        count(*) FILTER (WHERE d.state = 'cancelled') AS cancelled
    FROM delivery d JOIN delivery_series e ON e.delivery_series_key = d.delivery_series_key
    GROUP BY e.delivery_study_key
) AS c
WHERE c.delivery_study_key = delivery_study.delivery_study_key;
INSERT INTO delivery_count (tally_key, state, number, size_bytes)
SELECT tally_key, state, count(*), sum(size_bytes) FROM delivery GROUP BY tally_key, state;

DROP TABLE named_delivery;
DROP TABLE older_delivery;
