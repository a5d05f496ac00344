-- What the gate before dialling asks: how often a number was rung, by whose word, and who wants no calls.

-- 0 nobody's, 1 of a person the portal knows, 2 of the number's own owner.
ALTER TABLE attempts ADD COLUMN proof BIGINT NOT NULL DEFAULT 0;
-- When the telephone began to ring, as far as the carrier said so.
ALTER TABLE attempts ADD COLUMN rang_at BIGINT;
CREATE INDEX attempts_number ON attempts (number_key, dialled_at);

-- Numbers that are never called: digests, and four digits for people to tell them apart.
CREATE TABLE do_not_call (
    scope         TEXT   NOT NULL,
    number_key    TEXT   NOT NULL,
    number_last4  TEXT   NOT NULL,
    who           TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (scope, number_key)
);
