-- A visitor's number, or number and code, for a time: who calls there is that visitor. Taken once.
CREATE TABLE number_leases (
    tenant  TEXT   NOT NULL,
    -- One of ours, E.164.
    number  TEXT   NOT NULL,
    -- Empty for a number that is the visitor's alone.
    code    TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    visit   TEXT   NOT NULL,
    PRIMARY KEY (tenant, number, code)
);
