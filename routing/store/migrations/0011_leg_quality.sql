-- How a leg sounded, as RTP tells it; one row when it ends.
CREATE TABLE leg_quality (
    tenant       TEXT   NOT NULL,
    leg          TEXT   NOT NULL,
    contact      TEXT   NOT NULL,
    party        TEXT   NOT NULL,
    ended_at     BIGINT NOT NULL,
    doc_version  BIGINT NOT NULL,
    doc          TEXT   NOT NULL,
    PRIMARY KEY (tenant, leg)
);
CREATE INDEX leg_quality_contact ON leg_quality (tenant, contact);
