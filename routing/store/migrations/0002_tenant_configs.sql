-- What administrators set, every version of it, with who set it and when.
CREATE TABLE tenant_configs (
    tenant       TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    who          TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- Recordings are looked for by the end of the number when the whole of it is not at hand.
CREATE INDEX recordings_last4 ON recordings (tenant, number_last4, contact);
