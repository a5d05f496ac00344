-- Set by somebody else: the person chooses an own password before anything else.
ALTER TABLE users ADD COLUMN must_change BIGINT NOT NULL DEFAULT 0;
