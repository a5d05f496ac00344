-- The ledger. One text for SQLite and PostgreSQL: ids TEXT, times BIGINT (ms since 1970 UTC), JSON as TEXT.

-- Who owns a tenant's core. Each write of a turn carries the epoch and is refused when another has taken over.
CREATE TABLE leases (
    tenant       TEXT   NOT NULL PRIMARY KEY,
    node         TEXT   NOT NULL,
    epoch        BIGINT NOT NULL,
    acquired_at  BIGINT NOT NULL,
    turns        BIGINT NOT NULL
);

CREATE TABLE contacts (
    tenant               TEXT   NOT NULL,
    id                   TEXT   NOT NULL,
    channel              TEXT   NOT NULL,
    state                TEXT   NOT NULL,
    outcome              TEXT,
    queue                TEXT   NOT NULL,
    subject              TEXT   NOT NULL,
    priority             BIGINT NOT NULL,
    requested_at         BIGINT NOT NULL,
    closed_at            BIGINT,
    number_key           TEXT   NOT NULL,
    number_last4         TEXT   NOT NULL,
    -- The customer's name in lower case, for free-text search.
    customer_search      TEXT   NOT NULL,
    status_token_digest  TEXT,
    -- When its first recording began; set by the recording, kept by later saves.
    recorded_at          BIGINT,
    doc_version          BIGINT NOT NULL,
    doc                  TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX contacts_open ON contacts (tenant, id) WHERE state <> 'closed';
CREATE INDEX contacts_requested ON contacts (tenant, requested_at, id);
CREATE INDEX contacts_recorded ON contacts (tenant, recorded_at, id) WHERE recorded_at IS NOT NULL;
CREATE UNIQUE INDEX contacts_status_token ON contacts (status_token_digest) WHERE status_token_digest IS NOT NULL;

CREATE TABLE attempts (
    tenant       TEXT   NOT NULL,
    contact      TEXT   NOT NULL,
    ordinal      BIGINT NOT NULL,
    id           TEXT   NOT NULL,
    leg          TEXT   NOT NULL,
    trunk        TEXT   NOT NULL,
    segment      TEXT   NOT NULL,
    number_key   TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    result       TEXT,
    dialled_at   BIGINT NOT NULL,
    answered_at  BIGINT,
    ended_at     BIGINT,
    PRIMARY KEY (tenant, contact, ordinal)
);
-- At most one live dialog per number, whichever tenants ask for it.
CREATE UNIQUE INDEX attempts_one_dialog_per_number ON attempts (number_key) WHERE state IN ('dialling', 'unknown', 'live');
CREATE INDEX attempts_dialled ON attempts (tenant, dialled_at);

-- Append-only: what happened to a contact, in order.
CREATE TABLE contact_events (
    tenant   TEXT   NOT NULL,
    contact  TEXT   NOT NULL,
    ordinal  BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    fact     TEXT   NOT NULL,
    PRIMARY KEY (tenant, contact, ordinal)
);
CREATE INDEX contact_events_at ON contact_events (tenant, at);

CREATE TABLE agents (
    tenant       TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    since        BIGINT NOT NULL,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Append-only: the moments an agent's presence changed; an interval reaches to the next row of the same agent.
CREATE TABLE presence_changes (
    tenant    TEXT   NOT NULL,
    agent     TEXT   NOT NULL,
    ordinal   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    presence  TEXT   NOT NULL,
    reason    TEXT,
    PRIMARY KEY (tenant, agent, ordinal)
);
CREATE INDEX presence_changes_at ON presence_changes (tenant, agent, at);

-- What came in from outside, for replay; kept for a time, never changed.
CREATE TABLE journal (
    tenant          TEXT   NOT NULL,
    epoch           BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    outputs_digest  TEXT   NOT NULL,
    PRIMARY KEY (tenant, epoch, seq)
);
CREATE INDEX journal_at ON journal (tenant, at);

CREATE TABLE users (
    id             TEXT   NOT NULL PRIMARY KEY,
    -- NULL: an operator of the whole installation.
    tenant         TEXT,
    name           TEXT   NOT NULL,
    role           TEXT   NOT NULL,
    password_hash  TEXT   NOT NULL,
    agent          TEXT,
    disabled       BIGINT NOT NULL
);
CREATE INDEX users_tenant ON users (tenant, id);

CREATE TABLE staff_sessions (
    token_digest  TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL,
    tenant        TEXT,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);
CREATE INDEX staff_sessions_user ON staff_sessions (user_id);
CREATE INDEX staff_sessions_expiry ON staff_sessions (expires_at);

-- Single-use tokens that were used.
CREATE TABLE used_tokens (
    tenant      TEXT   NOT NULL,
    jti         TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, jti)
);
CREATE INDEX used_tokens_expiry ON used_tokens (expires_at);

CREATE TABLE idempotency_keys (
    tenant       TEXT   NOT NULL,
    scope        TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    body_digest  TEXT   NOT NULL,
    claimed_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    -- NULL while the first request is under way.
    status       BIGINT,
    response     TEXT,
    PRIMARY KEY (tenant, scope, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- SIP dialogs as far as they are known, to end them after a crash.
CREATE TABLE dialogs (
    tenant    TEXT   NOT NULL,
    leg       TEXT   NOT NULL,
    node      TEXT   NOT NULL,
    saved_at  BIGINT NOT NULL,
    doc       TEXT   NOT NULL,
    PRIMARY KEY (tenant, leg)
);

CREATE TABLE recordings (
    tenant        TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    contact       TEXT   NOT NULL,
    leg           TEXT   NOT NULL,
    party         TEXT   NOT NULL,
    agent         TEXT,
    queue         TEXT   NOT NULL,
    number_key    TEXT   NOT NULL,
    number_last4  TEXT   NOT NULL,
    path          TEXT   NOT NULL,
    node          TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    started_at    BIGINT NOT NULL,
    offset_ms     BIGINT NOT NULL,
    duration_ms   BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    lost_frames   BIGINT NOT NULL,
    chain         TEXT   NOT NULL,
    marks         TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX recordings_contact ON recordings (tenant, contact);
CREATE INDEX recordings_agent ON recordings (tenant, agent, contact);
CREATE INDEX recordings_number ON recordings (tenant, number_key, contact);

-- Append-only. Each row's hash covers the one before it; the head says where the chain ends, so a cut tail shows.
CREATE TABLE audit (
    chain          TEXT   NOT NULL,
    seq            BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    who            TEXT   NOT NULL,
    what           TEXT   NOT NULL,
    target         TEXT   NOT NULL,
    detail         TEXT   NOT NULL,
    detail_digest  TEXT   NOT NULL,
    hash           TEXT   NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_at ON audit (chain, at);

CREATE TABLE audit_heads (
    chain  TEXT   NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL,
    hash   TEXT   NOT NULL
);

CREATE TABLE settings (
    scope  TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (scope, key)
);
