-- Every statement of the identity provider's file. A name line, a sentence, the statement.

-- name: data_version
-- Tell whether another connection has committed since the last time.
PRAGMA data_version;

-- name: tenants
-- All tenants, the oldest first.
SELECT tenant_id, name, created_at FROM tenant ORDER BY created_at, tenant_id;

-- name: insert_tenant
-- Keep a new tenant.
INSERT INTO tenant (tenant_id, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: application
-- One application.
SELECT client_id, tenant_id, object_id, name, redirect_uris, created_at FROM application WHERE client_id = ?;

-- name: applications
-- All applications.
SELECT client_id, tenant_id, object_id, name, redirect_uris, created_at FROM application ORDER BY name, client_id;

-- name: insert_application
-- Keep a new application.
INSERT INTO application (client_id, tenant_id, object_id, name, redirect_uris, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: delete_application
-- Forget an application; its secrets go with it.
DELETE FROM application WHERE client_id = ? RETURNING object_id;

-- name: secrets
-- The secrets of an application, the oldest first.
SELECT secret_id, client_id, digest, hint, created_at, expires_at FROM client_secret WHERE client_id = ?
ORDER BY created_at, secret_id;

-- name: insert_secret
-- Keep a secret of an application that is there.
INSERT INTO client_secret (secret_id, client_id, digest, hint, created_at, expires_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM application WHERE client_id = ?2)
ON CONFLICT DO NOTHING;

-- name: delete_secret
-- Forget a secret.
DELETE FROM client_secret WHERE client_id = ? AND secret_id = ?;

-- name: user
-- One person.
SELECT object_id, tenant_id, name, digest, created_at FROM user WHERE object_id = ?;

-- name: user_named
-- The person of a name.
SELECT object_id, tenant_id, name, digest, created_at FROM user WHERE tenant_id = ? AND name_caseless = ?;

-- name: users
-- All people.
SELECT object_id, tenant_id, name, digest, created_at FROM user ORDER BY name_caseless, object_id;

-- name: insert_user
-- Keep a new person.
INSERT INTO user (object_id, tenant_id, name, digest, created_at, name_caseless) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: update_password
-- Change a password.
UPDATE user SET digest = ? WHERE object_id = ?;

-- name: delete_user
-- Forget a person.
DELETE FROM user WHERE object_id = ?;

-- name: all_assignments
-- Every role that was given.
SELECT object_id, role_id, partition_name, created_at FROM role_assignment ORDER BY object_id, role_id, partition_name;

-- name: assignments
-- The roles of one.
SELECT object_id, role_id, partition_name, created_at FROM role_assignment WHERE object_id = ?
ORDER BY role_id, partition_name;

-- name: insert_assignment
-- Give a role.
INSERT INTO role_assignment (object_id, role_id, partition_name, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: delete_assignment
-- Take a role away.
DELETE FROM role_assignment WHERE object_id = ? AND role_id = ? AND partition_name = ?;

-- name: delete_assignments
-- Take all roles of one away.
DELETE FROM role_assignment WHERE object_id = ?;

-- name: signing_keys
-- All keys, the oldest first.
SELECT key_id, private_pem, created_at, signs_from, signs_until, published_until FROM signing_key
ORDER BY created_at, key_id;

-- name: insert_signing_key
-- Keep a key.
INSERT INTO signing_key (key_id, private_pem, created_at, signs_from, signs_until, published_until)
VALUES (?, ?, ?, ?, ?, ?);

-- name: delete_signing_key
-- Forget a key.
DELETE FROM signing_key WHERE key_id = ?;

-- name: insert_grant
-- Keep something that is handed out.
INSERT INTO issued_grant (kind, digest, object_id, client_id, expires_at, created_at, details)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: grant
-- What was handed out.
SELECT kind, digest, object_id, client_id, expires_at, created_at, details FROM issued_grant
WHERE kind = ? AND digest = ?;

-- name: grants_of_kind
-- What was handed out of one kind, the oldest first.
SELECT kind, digest, object_id, client_id, expires_at, created_at, details FROM issued_grant
WHERE kind = ? ORDER BY created_at, digest;

-- name: take_grant
-- What was handed out, for the last time.
DELETE FROM issued_grant WHERE kind = ? AND digest = ?
RETURNING kind, digest, object_id, client_id, expires_at, created_at, details;

-- name: prolong_grant
-- Let something be valid for longer.
UPDATE issued_grant SET expires_at = ? WHERE kind = ? AND digest = ?;

-- name: forget_grants
-- Forget what has expired.
DELETE FROM issued_grant WHERE expires_at <= ?;

-- name: forget_grants_of_object
-- Forget what stands for one.
DELETE FROM issued_grant WHERE object_id = ?;

-- name: forget_shares_without_role
-- Forget the links given by one who has no role any more.
DELETE FROM issued_grant WHERE kind = 'share' AND object_id = ?1
AND NOT EXISTS (SELECT 1 FROM role_assignment WHERE object_id = ?1);

-- name: forget_grants_of_client
-- Forget what was given to one.
DELETE FROM issued_grant WHERE client_id = ?;
