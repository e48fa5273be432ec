-- What version 2 of Azure's service leaves out of metadata.

-- Elements whose values are not valid, by path, one a line: metadata leaves them out. Instances without any have no row.
CREATE TABLE invalid_attribute (
    instance_key INTEGER PRIMARY KEY REFERENCES instance ON DELETE CASCADE,
    paths TEXT NOT NULL
) STRICT;
