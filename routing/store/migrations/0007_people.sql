-- What staff prove themselves by, what they may, and keys for programs.

-- Shared with the authenticator app, base32 (RFC 4648); NULL: none.
ALTER TABLE users ADD COLUMN totp TEXT;
-- The last time step that was used: a code holds once.
ALTER TABLE users ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
-- Digests of the recovery codes that are left, as JSON.
ALTER TABLE users ADD COLUMN recovery TEXT NOT NULL DEFAULT '[]';
-- As JSON; NULL: what the role may.
ALTER TABLE users ADD COLUMN permissions TEXT;
-- Issuer and subject at the identity provider; NULL: signs in here.
ALTER TABLE users ADD COLUMN external TEXT;
CREATE UNIQUE INDEX users_external ON users (external) WHERE external IS NOT NULL;

-- The session at the identity provider, for signing out from there.
ALTER TABLE staff_sessions ADD COLUMN idp_session TEXT;

CREATE TABLE api_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    -- NULL: of the whole installation.
    tenant       TEXT,
    name         TEXT   NOT NULL,
    key_digest   TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    permissions  TEXT   NOT NULL,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT
);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (key_digest);
CREATE INDEX api_keys_tenant ON api_keys (tenant, created_at);
