//! Keys by which programs call the interfaces. Only digests are kept.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{
    Permission, Role, Store,
    error::StoreError,
    sql::{Row, sql},
    turn::json,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    /// None: of the whole installation.
    pub tenant: Option<TenantId>,
    pub name: String,
    /// Whose routes it may call.
    pub role: Role,
    pub permissions: Vec<Permission>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    pub async fn create_api_key(&self, key: &ApiKey, digest: &str) -> Result<(), StoreError> {
        let statement = sql("INSERT INTO api_keys
                        (id, tenant, name, key_digest, role, permissions, created_by, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .text(&key.id)
        .opt_text(key.tenant.as_ref().map(TenantId::as_str))
        .text(&key.name)
        .text(digest)
        .text(key.role.as_str())
        .text(json("permissions of key", &key.id, &key.permissions)?)
        .text(&key.created_by)
        .int(key.created_at.as_millis())
        .opt_int(key.expires_at.map(Timestamp::as_millis));
        self.run(statement).await.map(drop)
    }

    /// The key of that digest, if it still holds.
    pub async fn api_key(&self, digest: &str, now: Timestamp) -> Result<Option<ApiKey>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT id, tenant, name, role, permissions, created_by, created_at, expires_at, revoked_at
             FROM api_keys
             WHERE key_digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)")
        .text(digest)
        .int(now.as_millis())
        .first(&mut reader)
        .await?;
        row.as_ref().map(key_of).transpose()
    }

    /// All keys of that tenant (None: of the installation), the latest first; revoked ones too.
    pub async fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, tenant, name, role, permissions, created_by, created_at, expires_at, revoked_at
             FROM api_keys WHERE tenant IS NOT DISTINCT FROM $1 ORDER BY created_at DESC, id")
        .opt_text(tenant.map(TenantId::as_str))
        .all(&mut reader)
        .await?;
        rows.iter().map(key_of).collect()
    }

    /// False: that tenant has no such key that holds.
    pub async fn revoke_api_key(
        &self,
        tenant: Option<&TenantId>,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql("UPDATE api_keys SET revoked_at = $3
                     WHERE id = $1 AND tenant IS NOT DISTINCT FROM $2 AND revoked_at IS NULL")
        .text(id)
        .opt_text(tenant.map(TenantId::as_str))
        .int(now.as_millis());
        let revoked = self.run(statement).await?;
        Ok(revoked == 1)
    }
}

fn key_of(row: &Row) -> Result<ApiKey, StoreError> {
    let id = row.text("id")?;
    let role = row.text("role")?.parse().map_err(|_| StoreError::corrupt("role of key", &id))?;
    let permissions =
        serde_json::from_str(&row.text("permissions")?).map_err(|_| StoreError::corrupt("permissions of key", &id))?;
    Ok(ApiKey {
        id,
        tenant: row.opt_text("tenant")?.map(TenantId::new),
        name: row.text("name")?,
        role,
        permissions,
        created_by: row.text("created_by")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
        expires_at: row.opt_int("expires_at")?.map(Timestamp::from_millis),
        revoked_at: row.opt_int("revoked_at")?.map(Timestamp::from_millis),
    })
}
