-- What is removed on time, and what must stay.

-- A contact whose records stay whatever their age: why and by whom, and who lifted it.
CREATE TABLE legal_holds (
    tenant     TEXT   NOT NULL,
    contact    TEXT   NOT NULL,
    -- 1, 2, 3 … within the contact.
    ordinal    BIGINT NOT NULL,
    reason     TEXT   NOT NULL,
    set_by     TEXT   NOT NULL,
    set_at     BIGINT NOT NULL,
    lifted_by  TEXT,
    lifted_at  BIGINT,
    PRIMARY KEY (tenant, contact, ordinal)
);
CREATE UNIQUE INDEX legal_holds_standing ON legal_holds (tenant, contact) WHERE lifted_at IS NULL;

-- When it was removed; NULL: it is there.
ALTER TABLE contacts ADD COLUMN transcript_removed_at BIGINT;
ALTER TABLE contacts ADD COLUMN personal_removed_at BIGINT;
CREATE INDEX contacts_with_transcript ON contacts (tenant, closed_at) WHERE state = 'closed' AND transcript_removed_at IS NULL;
CREATE INDEX contacts_with_person ON contacts (tenant, closed_at) WHERE state = 'closed' AND personal_removed_at IS NULL;

-- Sound files whose rows are gone already: taken from the disk of their node, then from here.
CREATE TABLE removed_files (
    tenant     TEXT NOT NULL,
    recording  TEXT NOT NULL,
    node       TEXT NOT NULL,
    path       TEXT NOT NULL,
    PRIMARY KEY (tenant, recording)
);
