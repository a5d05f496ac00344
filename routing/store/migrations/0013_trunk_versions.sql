-- Every state of a carrier that was connected in a browser: who made it so, and when. Passwords are no part of it.
CREATE TABLE trunk_versions (
    id           TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    -- 1: no calls go over it any more.
    retired      BIGINT NOT NULL,
    who          TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
INSERT INTO trunk_versions (id, version, doc_version, doc, retired, who, at)
    SELECT id, 1, doc_version, doc, 0, who, at FROM trunks;
ALTER TABLE trunks ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;
