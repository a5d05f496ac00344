-- Sound that administrators brought in for prompts: 8 kHz, mono, 16 bits, as base64; named by its digest and never changed.
CREATE TABLE sounds (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    pcm     TEXT   NOT NULL,
    who     TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
