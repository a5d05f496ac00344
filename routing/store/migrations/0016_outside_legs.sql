-- Calls to numbers outside that agents bring into a call: they use up the day like any other.
CREATE TABLE outside_legs (
    tenant       TEXT   NOT NULL,
    leg          TEXT   NOT NULL,
    dialled_at   BIGINT NOT NULL,
    answered_at  BIGINT,
    ended_at     BIGINT,
    PRIMARY KEY (tenant, leg)
);
CREATE INDEX outside_legs_day ON outside_legs (tenant, dialled_at);
