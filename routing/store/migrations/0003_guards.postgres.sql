CREATE TRIGGER chat_messages_no_delete BEFORE DELETE ON chat_messages FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER chat_messages_no_truncate BEFORE TRUNCATE ON chat_messages FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
