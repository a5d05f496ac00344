-- Every state of a person that somebody else made: who, when, and what role, rights and desk. Passwords are no part of it. The
-- first row of a person is the state before the first change.
CREATE TABLE user_versions (
    user_id  TEXT   NOT NULL,
    version  BIGINT NOT NULL,
    tenant   TEXT,
    who      TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    doc      TEXT   NOT NULL,
    PRIMARY KEY (user_id, version)
);
