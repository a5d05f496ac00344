//! Tokens that hold once: which were used, as long as they would still be valid.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{Store, error::StoreError, sql::sql};

impl Store {
    /// True the first time this tenant's token id is used, false ever after. Keep `expires_at` at the token's own expiry
    /// or later: the id is forgotten then.
    pub async fn use_token(&self, tenant: &TenantId, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        let statement = sql("INSERT INTO used_tokens (tenant, jti, expires_at) VALUES ($1, $2, $3)
                     ON CONFLICT (tenant, jti) DO NOTHING")
        .id(tenant)
        .text(jti)
        .int(expires_at.as_millis());
        let used = self.run(statement).await?;
        Ok(used == 1)
    }

    /// Gives a used token back, when what it was used for was refused.
    pub async fn release_token(&self, tenant: &TenantId, jti: &str) -> Result<(), StoreError> {
        self.run(sql("DELETE FROM used_tokens WHERE tenant = $1 AND jti = $2").id(tenant).text(jti)).await.map(drop)
    }

    /// Forgets sessions, used tokens and idempotency keys that expired before `now`; says how many.
    pub async fn purge_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let mut gone = 0;
                for text in [
                    "DELETE FROM staff_sessions WHERE expires_at < $1",
                    "DELETE FROM used_tokens WHERE expires_at < $1",
                    "DELETE FROM idempotency_keys WHERE expires_at < $1",
                ] {
                    gone += sql(text).int(now.as_millis()).run(&mut *conn).await?;
                }
                Ok(gone)
            })
        })
        .await
    }
}
