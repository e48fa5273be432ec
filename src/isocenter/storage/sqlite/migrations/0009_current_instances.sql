-- Pages of instances are passed over in the index alone: it lists those that a search can find, and no others.
DROP INDEX instance_by_key;
CREATE INDEX instance_by_key ON instance (partition_key) WHERE is_original = 0;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('instance', 'instance_by_key', '300000000 300000000');
