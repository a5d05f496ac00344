//! A request sent twice is done once: the key is claimed before the work, the answer kept after it.

use ringback_routing::{
    ids::TenantId,
    time::{Millis, Timestamp},
};

use crate::{Store, error::StoreError, sql::sql};

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is yours: do the work, then [`Store::keep_answer`] or [`Store::drop_claim`].
    New,
    /// The first request with this key is still under way.
    UnderWay,
    /// Done before; answer this again.
    Answered { status: u16, response: String },
    /// The same key with another body: a conflict (409).
    OtherBody,
}

/// A claim whose work never came to an end (a crash) may be taken over after this long.
const CLAIM_HOLDS: Millis = Millis::from_secs(60);

impl Store {
    /// Claims `key` within `scope` (the operation) for a request whose body has this digest.
    pub async fn claim_key(
        &self,
        tenant: &TenantId,
        scope: &str,
        key: &str,
        body_digest: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (tenant, scope, key, digest) = (tenant.clone(), scope.to_owned(), key.to_owned(), body_digest.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let claimed =
                    sql("INSERT INTO idempotency_keys (tenant, scope, key, body_digest, claimed_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant, scope, key) DO UPDATE SET
                        body_digest = excluded.body_digest, claimed_at = excluded.claimed_at,
                        expires_at = excluded.expires_at, status = NULL, response = NULL
                     WHERE idempotency_keys.expires_at <= $5
                        OR (idempotency_keys.status IS NULL AND idempotency_keys.claimed_at <= $7
                            AND idempotency_keys.body_digest = excluded.body_digest)")
                    .id(&tenant)
                    .text(&scope)
                    .text(&key)
                    .text(&digest)
                    .int(now.as_millis())
                    .int(expires_at.as_millis())
                    .int((now - CLAIM_HOLDS).as_millis())
                    .run(&mut *conn)
                    .await?;
                if claimed == 1 {
                    return Ok(Claim::New);
                }
                let row = sql("SELECT body_digest, status, response FROM idempotency_keys
                     WHERE tenant = $1 AND scope = $2 AND key = $3")
                .id(&tenant)
                .text(&scope)
                .text(&key)
                .first(&mut *conn)
                .await?
                .ok_or(StoreError::NotFound("idempotency key"))?;
                if row.text("body_digest")? != digest {
                    return Ok(Claim::OtherBody);
                }
                Ok(match row.opt_int("status")?.and_then(|status| u16::try_from(status).ok()) {
                    Some(status) => Claim::Answered { status, response: row.opt_text("response")?.unwrap_or_default() },
                    None => Claim::UnderWay,
                })
            })
        })
        .await
    }

    /// Keeps the first answer (status and JSON) for whoever asks with the same key again.
    pub async fn keep_answer(
        &self,
        tenant: &TenantId,
        scope: &str,
        key: &str,
        status: u16,
        response: &str,
    ) -> Result<(), StoreError> {
        let statement = sql("UPDATE idempotency_keys SET status = $4, response = $5
                     WHERE tenant = $1 AND scope = $2 AND key = $3 AND status IS NULL")
        .id(tenant)
        .text(scope)
        .text(key)
        .int(i64::from(status))
        .text(response);
        self.run(statement).await.map(drop)
    }

    /// Lets go of a claim whose work failed, so that the same request may be tried again at once.
    pub async fn drop_claim(&self, tenant: &TenantId, scope: &str, key: &str) -> Result<(), StoreError> {
        let statement =
            sql("DELETE FROM idempotency_keys WHERE tenant = $1 AND scope = $2 AND key = $3 AND status IS NULL")
                .id(tenant)
                .text(scope)
                .text(key);
        self.run(statement).await.map(drop)
    }
}
