//! Calls to numbers outside that agents bring into a call, as far as a tenant's day counts them: dialled, answered, ended.

use ringback_routing::{
    ids::{LegId, TenantId},
    time::Timestamp,
};

use crate::{Store, error::StoreError, sql::sql};

impl Store {
    /// The call is about to leave. Said twice, the first time holds.
    pub async fn outside_dialled(&self, tenant: &TenantId, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                sql("INSERT INTO outside_legs (tenant, leg, dialled_at) VALUES ($1, $2, $3)
                     ON CONFLICT (tenant, leg) DO NOTHING")
                .id(&tenant)
                .id(leg)
                .int(at.as_millis())
                .run(conn)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// From here on its minutes count.
    pub async fn outside_answered(&self, tenant: &TenantId, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                sql("UPDATE outside_legs SET answered_at = $3
                     WHERE tenant = $1 AND leg = $2 AND answered_at IS NULL")
                .id(&tenant)
                .id(leg)
                .int(at.as_millis())
                .run(conn)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Its minutes count no further.
    pub async fn outside_ended(&self, tenant: &TenantId, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                sql("UPDATE outside_legs SET ended_at = $3 WHERE tenant = $1 AND leg = $2 AND ended_at IS NULL")
                    .id(&tenant)
                    .id(leg)
                    .int(at.as_millis())
                    .run(conn)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// After a restart none of the tenant's stands any more.
    pub async fn outside_all_ended(&self, tenant: &TenantId, at: Timestamp) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                sql("UPDATE outside_legs SET ended_at = $2 WHERE tenant = $1 AND ended_at IS NULL")
                    .id(&tenant)
                    .int(at.as_millis())
                    .run(conn)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}
