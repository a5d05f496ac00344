CREATE TRIGGER tenant_configs_no_update BEFORE UPDATE ON tenant_configs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tenant_configs_no_delete BEFORE DELETE ON tenant_configs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tenant_configs_no_truncate BEFORE TRUNCATE ON tenant_configs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
