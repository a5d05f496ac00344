CREATE TRIGGER tenant_configs_no_update BEFORE UPDATE ON tenant_configs BEGIN SELECT RAISE(ABORT, 'tenant_configs is append-only'); END;
CREATE TRIGGER tenant_configs_no_delete BEFORE DELETE ON tenant_configs BEGIN SELECT RAISE(ABORT, 'tenant_configs is append-only'); END;
