-- The journal may be purged after its retention, but never changed.
CREATE TRIGGER contact_events_no_update BEFORE UPDATE ON contact_events BEGIN SELECT RAISE(ABORT, 'contact_events is append-only'); END;
CREATE TRIGGER contact_events_no_delete BEFORE DELETE ON contact_events BEGIN SELECT RAISE(ABORT, 'contact_events is append-only'); END;
CREATE TRIGGER presence_changes_no_update BEFORE UPDATE ON presence_changes BEGIN SELECT RAISE(ABORT, 'presence_changes is append-only'); END;
CREATE TRIGGER presence_changes_no_delete BEFORE DELETE ON presence_changes BEGIN SELECT RAISE(ABORT, 'presence_changes is append-only'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END;
