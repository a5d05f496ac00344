-- Tenants that were founded in a browser; what is set for them is in tenant_configs.
CREATE TABLE tenants (
    id           TEXT   NOT NULL PRIMARY KEY,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    who          TEXT   NOT NULL,
    at           BIGINT NOT NULL
);

-- Carriers that were connected in a browser. The password is not part of the document, so that no reader of it shows one.
CREATE TABLE trunks (
    id           TEXT   NOT NULL PRIMARY KEY,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    password     TEXT,
    who          TEXT   NOT NULL,
    at           BIGINT NOT NULL
);
