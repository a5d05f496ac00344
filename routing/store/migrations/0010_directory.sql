-- Who a tenant knows: people with their numbers and the ids that portals know them by.
CREATE TABLE customers (
    tenant       TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    -- The name in lower case, for search.
    name_search  TEXT   NOT NULL,
    notes        TEXT   NOT NULL,
    -- Counted up with each change: nobody writes over what somebody else changed meanwhile.
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_by   TEXT   NOT NULL,
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX customers_name ON customers (tenant, name_search, id);

-- A number, and an id of a portal's, lead to one person at most.
CREATE TABLE customer_numbers (
    tenant      TEXT   NOT NULL,
    number_key  TEXT   NOT NULL,
    -- E.164
    number      TEXT   NOT NULL,
    customer    TEXT   NOT NULL,
    ordinal     BIGINT NOT NULL,
    PRIMARY KEY (tenant, number_key)
);
CREATE INDEX customer_numbers_of ON customer_numbers (tenant, customer);

CREATE TABLE customer_external_ids (
    tenant       TEXT   NOT NULL,
    external_id  TEXT   NOT NULL,
    customer     TEXT   NOT NULL,
    ordinal      BIGINT NOT NULL,
    PRIMARY KEY (tenant, external_id)
);
CREATE INDEX customer_external_ids_of ON customer_external_ids (tenant, customer);

-- What an agent files of a contact, under the customer it belongs to. A draft may have none yet.
CREATE TABLE cases (
    tenant      TEXT   NOT NULL,
    contact     TEXT   NOT NULL,
    customer    TEXT,
    -- draft or saved
    state       TEXT   NOT NULL,
    title       TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    opened_by   TEXT   NOT NULL,
    opened_at   BIGINT NOT NULL,
    changed_by  TEXT   NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, contact)
);
CREATE INDEX cases_customer ON cases (tenant, customer, opened_at);
CREATE INDEX cases_drafts ON cases (tenant, opened_by, changed_at) WHERE state = 'draft';
