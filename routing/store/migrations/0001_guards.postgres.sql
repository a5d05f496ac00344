-- The journal may be purged after its retention, but never changed.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END;
$$;
CREATE TRIGGER contact_events_no_update BEFORE UPDATE ON contact_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER contact_events_no_delete BEFORE DELETE ON contact_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER presence_changes_no_update BEFORE UPDATE ON presence_changes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER presence_changes_no_delete BEFORE DELETE ON presence_changes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER contact_events_no_truncate BEFORE TRUNCATE ON contact_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER presence_changes_no_truncate BEFORE TRUNCATE ON presence_changes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
