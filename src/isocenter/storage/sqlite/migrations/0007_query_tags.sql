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

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
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
    ('query_tag_double', 'query_tag_double_by_value', '10000000 1000000 1000000 100 1');
