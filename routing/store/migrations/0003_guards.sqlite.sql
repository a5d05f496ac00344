CREATE TRIGGER chat_messages_no_delete BEFORE DELETE ON chat_messages BEGIN SELECT RAISE(ABORT, 'chat_messages keeps its numbers'); END;
