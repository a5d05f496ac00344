-- What was written in chats, in order. `seq` counts 1, 2, 3 … within the contact without a gap.
CREATE TABLE chat_messages (
    tenant     TEXT   NOT NULL,
    contact    TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    -- customer, agent:ID, or note:ID for what one agent leaves the next
    sender     TEXT   NOT NULL,
    -- Chosen by the sender: the same message sent again is kept once.
    client_id  TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (tenant, contact, seq)
);
CREATE UNIQUE INDEX chat_messages_once ON chat_messages (tenant, contact, sender, client_id);

-- How far each side (customer, agent) has been given and has seen what the other wrote, by `seq`.
CREATE TABLE chat_marks (
    tenant     TEXT   NOT NULL,
    contact    TEXT   NOT NULL,
    side       TEXT   NOT NULL,
    delivered  BIGINT NOT NULL,
    seen       BIGINT NOT NULL,
    PRIMARY KEY (tenant, contact, side)
);

-- The earlier contacts of a customer, the latest first.
CREATE INDEX contacts_number ON contacts (tenant, number_key, requested_at);
