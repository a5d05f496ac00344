//! Small values the server keeps for itself or for a tenant, and every version of a tenant's configuration.

use ringback_routing::{ids::TenantId, time::Timestamp};
use serde_json::Value;

use crate::{
    AuditEntry, Store, audit,
    error::StoreError,
    page_size,
    sql::{Conn, Row, sql},
    turn::DOC_VERSION,
    webhook,
};

/// One version of what administrators set for a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigVersion {
    /// 1, 2, 3 …
    pub version: u64,
    pub doc: serde_json::Value,
    pub who: String,
    pub at: Timestamp,
}

/// What a version leaves beside it that is more than a setting, like a closure: its row in the audit, and what others are told.
#[derive(Debug, Clone)]
pub struct VersionNotice {
    pub audit: AuditEntry,
    /// What receivers may have asked for, like `closure.declared`.
    pub event: &'static str,
    pub detail: Value,
}

/// The scope column: no tenant can be named so that it reads the server's own values.
pub(crate) fn scope_of(tenant: Option<&TenantId>) -> String {
    match tenant {
        Some(tenant) => format!("tenant:{tenant}"),
        None => "server".to_owned(),
    }
}

impl Store {
    /// A value by its key; without a tenant, one of the server's own.
    pub async fn setting(&self, tenant: Option<&TenantId>, key: &str) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT value FROM settings WHERE scope = $1 AND key = $2")
            .text(scope_of(tenant))
            .text(key)
            .first(&mut reader)
            .await?;
        row.map(|row| row.text("value")).transpose()
    }

    pub async fn save_setting(&self, tenant: Option<&TenantId>, key: &str, value: &str) -> Result<(), StoreError> {
        let statement = sql("INSERT INTO settings (scope, key, value) VALUES ($1, $2, $3)
                     ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value")
        .text(scope_of(tenant))
        .text(key)
        .text(value);
        self.run(statement).await.map(drop)
    }

    /// The value kept under `key`, which is `value` if there was none: a key made once and then the same for ever.
    pub async fn setting_or_insert(
        &self,
        tenant: Option<&TenantId>,
        key: &str,
        value: &str,
    ) -> Result<String, StoreError> {
        let (scope, key, value) = (scope_of(tenant), key.to_owned(), value.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                sql("INSERT INTO settings (scope, key, value) VALUES ($1, $2, $3) ON CONFLICT (scope, key) DO NOTHING")
                    .text(&scope)
                    .text(&key)
                    .text(&value)
                    .run(&mut *conn)
                    .await?;
                let row = sql("SELECT value FROM settings WHERE scope = $1 AND key = $2")
                    .text(&scope)
                    .text(&key)
                    .first(&mut *conn)
                    .await?;
                row.ok_or(StoreError::NotFound("setting"))?.text("value")
            })
        })
        .await
    }

    /// Keeps a new version of the tenant's configuration and returns its number.
    pub async fn save_tenant_config(
        &self,
        tenant: &TenantId,
        doc: &serde_json::Value,
        who: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, doc, who) = (tenant.clone(), doc.to_string(), who.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let row = sql("INSERT INTO tenant_configs (tenant, version, doc_version, doc, who, at)
                     SELECT $1, COALESCE(MAX(version), 0) + 1, CAST($2 AS BIGINT), $3, $4, CAST($5 AS BIGINT)
                     FROM tenant_configs WHERE tenant = $1 RETURNING version")
                .id(&tenant)
                .int(DOC_VERSION)
                .text(&doc)
                .text(&who)
                .int(now.as_millis())
                .first(conn)
                .await?;
                Ok(row.ok_or(StoreError::NotFound("configuration"))?.int("version")?.unsigned_abs())
            })
        })
        .await
    }

    /// Keeps a new version if `after` is the newest one (0: there is none) and returns its number.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when somebody else has kept one meanwhile.
    pub async fn save_tenant_config_after(
        &self,
        tenant: &TenantId,
        after: u64,
        doc: &serde_json::Value,
        who: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, doc, who) = (tenant.clone(), doc.to_string(), who.to_owned());
        self.write(move |conn| Box::pin(async move { keep_after(conn, &tenant, after, &doc, &who, now).await })).await
    }

    /// The same, with its row in the audit and the messages to others: all of it is kept or nothing.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when somebody else has kept one meanwhile.
    pub async fn save_tenant_config_noted(
        &self,
        tenant: &TenantId,
        after: u64,
        doc: &serde_json::Value,
        notice: VersionNotice,
    ) -> Result<u64, StoreError> {
        let (tenant, doc) = (tenant.clone(), doc.to_string());
        self.write(move |conn| {
            Box::pin(async move {
                let VersionNotice { audit: entry, event, detail } = &notice;
                let version = keep_after(conn, &tenant, after, &doc, &entry.who, entry.at).await?;
                audit::append(conn, &scope_of(Some(&tenant)), entry).await?;
                // A version is kept once: its number makes the message the only one.
                let message = format!("{event}.{version}");
                webhook::tell(conn, &tenant, event, &message, None, entry.at, detail).await?;
                Ok(version)
            })
        })
        .await
    }

    /// One version.
    pub async fn tenant_config_version(
        &self,
        tenant: &TenantId,
        version: u64,
    ) -> Result<Option<ConfigVersion>, StoreError> {
        let mut reader = self.reader().await?;
        let row =
            sql("SELECT version, doc_version, doc, who, at FROM tenant_configs WHERE tenant = $1 AND version = $2")
                .id(tenant)
                .int(i64::try_from(version).unwrap_or(i64::MAX))
                .first(&mut reader)
                .await?;
        row.as_ref().map(config_of).transpose()
    }

    /// The newest version.
    pub async fn tenant_config(&self, tenant: &TenantId) -> Result<Option<ConfigVersion>, StoreError> {
        Ok(self.tenant_config_history(tenant, 1).await?.into_iter().next())
    }

    /// The latest versions, newest first.
    pub async fn tenant_config_history(&self, tenant: &TenantId, limit: u32) -> Result<Vec<ConfigVersion>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT version, doc_version, doc, who, at FROM tenant_configs WHERE tenant = $1
             ORDER BY version DESC LIMIT $2")
        .id(tenant)
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(config_of).collect()
    }
}

async fn keep_after(
    conn: &mut Conn,
    tenant: &TenantId,
    after: u64,
    doc: &str,
    who: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let kept = sql("INSERT INTO tenant_configs (tenant, version, doc_version, doc, who, at)
         SELECT $1, CAST($2 AS BIGINT) + 1, CAST($3 AS BIGINT), $4, $5, CAST($6 AS BIGINT)
         WHERE (SELECT COALESCE(MAX(version), 0) FROM tenant_configs WHERE tenant = $1) = CAST($2 AS BIGINT)
         ON CONFLICT (tenant, version) DO NOTHING")
    .id(tenant)
    .int(after)
    .int(DOC_VERSION)
    .text(doc)
    .text(who)
    .int(now.as_millis())
    .run(conn)
    .await?;
    if kept == 1 { Ok(after.unsigned_abs() + 1) } else { Err(StoreError::Taken("configuration")) }
}

fn config_of(row: &Row) -> Result<ConfigVersion, StoreError> {
    let version = row.int("version")?;
    if row.int("doc_version")? != DOC_VERSION {
        return Err(StoreError::corrupt("configuration", version));
    }
    Ok(ConfigVersion {
        version: version.unsigned_abs(),
        doc: serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("configuration", version))?,
        who: row.text("who")?,
        at: Timestamp::from_millis(row.int("at")?),
    })
}
