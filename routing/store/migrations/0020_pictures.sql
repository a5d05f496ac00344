-- Pictures that administrators brought in for their pages: PNG, JPEG or WebP as base64; named by their digest and never changed.
CREATE TABLE pictures (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    bytes   TEXT   NOT NULL,
    who     TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
