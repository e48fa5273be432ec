-- Operations.

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
