-- What the embedded identity provider knows, in a file of its own: an index that is rebuilt from the packs must not
-- take it along.

CREATE TABLE tenant (
    tenant_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE application (
    client_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant,
    object_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE client_secret (
    secret_id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES application ON DELETE CASCADE,
    digest TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX client_secret_by_client ON client_secret (client_id);

CREATE TABLE user (
    object_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant,
    name TEXT NOT NULL,
    name_caseless TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (tenant_id, name_caseless)
) STRICT;

-- Whom a role is given need not be in this directory: an external issuer may know it.
CREATE TABLE role_assignment (
    object_id TEXT NOT NULL,
    role_id TEXT NOT NULL,
    partition_name TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (object_id, role_id, partition_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
    key_id TEXT PRIMARY KEY,
    private_pem BLOB NOT NULL,
    created_at REAL NOT NULL,
    signs_from REAL NOT NULL,
    signs_until REAL NOT NULL,
    published_until REAL NOT NULL
) STRICT;

CREATE TABLE issued_grant (
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    object_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    expires_at REAL NOT NULL,
    created_at REAL NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX issued_grant_by_object ON issued_grant (object_id);
CREATE INDEX issued_grant_by_client ON issued_grant (client_id);
CREATE INDEX issued_grant_by_expiry ON issued_grant (expires_at);
