-- An index is written with each row. These were asked for what the rows' own order answers (when a journal's entry came, when
-- presence changed), or for three kinds of facts of fifteen.
DROP INDEX journal_at;
DROP INDEX presence_changes_at;
DROP INDEX contact_events_at;
CREATE INDEX contact_events_waits ON contact_events (tenant, at) WHERE kind IN ('served', 'handled');
CREATE INDEX contact_events_guards ON contact_events (tenant, at) WHERE kind = 'number_guarded';
