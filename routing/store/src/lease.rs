//! Who owns a tenant's core. An owner's writes carry the epoch it was given; after a takeover they are refused.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{
    Store,
    error::StoreError,
    sql::{Conn, sql},
};

impl Store {
    /// Takes the tenant for `node` and returns the new epoch; whoever held it before is fenced from now on.
    pub async fn acquire_lease(&self, tenant: &TenantId, node: &str, now: Timestamp) -> Result<i64, StoreError> {
        let (tenant, node) = (tenant.clone(), node.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let row = sql("INSERT INTO leases (tenant, node, epoch, acquired_at, turns) VALUES ($1, $2, 1, $3, 0)
                     ON CONFLICT (tenant) DO UPDATE SET
                        node = excluded.node, epoch = leases.epoch + 1, acquired_at = excluded.acquired_at
                     RETURNING epoch")
                .id(&tenant)
                .text(&node)
                .int(now.as_millis())
                .first(conn)
                .await?;
                row.ok_or(StoreError::NotFound("lease"))?.int("epoch")
            })
        })
        .await
    }
}

/// Counts the turn on the lease row: the row is locked until the commit, so a takeover waits or has happened.
pub(crate) async fn fence(conn: &mut Conn, tenant: &TenantId, epoch: i64) -> Result<(), StoreError> {
    let held = sql("UPDATE leases SET turns = turns + 1 WHERE tenant = $1 AND epoch = $2")
        .id(tenant)
        .int(epoch)
        .run(conn)
        .await?;
    match held {
        0 => Err(StoreError::Fenced),
        _ => Ok(()),
    }
}
