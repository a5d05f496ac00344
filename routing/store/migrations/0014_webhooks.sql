-- Programs of others that are told what happens (Standard Webhooks).
CREATE TABLE webhooks (
    tenant      TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    url         TEXT   NOT NULL,
    -- Words like contact.created, with a space on both sides of each.
    events      TEXT   NOT NULL,
    -- Sealed; what messages are signed with.
    secret      TEXT   NOT NULL,
    -- 1: names and numbers are told too.
    personal    BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- One message for one of them. Written with what it tells of, in one transaction.
CREATE TABLE webhook_deliveries (
    tenant      TEXT   NOT NULL,
    webhook     TEXT   NOT NULL,
    -- Of what it tells; the same for every receiver.
    message     TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    contact     TEXT,
    at          BIGINT NOT NULL,
    -- JSON: ids.
    detail      TEXT   NOT NULL,
    -- waiting, sent or dead
    state       TEXT   NOT NULL,
    tries       BIGINT NOT NULL,
    -- When it is due, while it waits.
    next_at     BIGINT NOT NULL,
    -- How the last try ended.
    last_word   TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, webhook, message)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_old ON webhook_deliveries (at) WHERE state <> 'waiting';
