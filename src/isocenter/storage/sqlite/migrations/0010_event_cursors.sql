-- Events.

-- How far each receiver of events has been told of the change feed.
CREATE TABLE event_cursor (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    timestamp REAL NOT NULL,
    is_of_older_feed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
