//! Numbers and access codes lent to visitors of web pages, so that a call is matched with the visit.

use ringback_routing::{event::Visit, ids::TenantId, time::Timestamp};

use crate::{
    Store,
    error::StoreError,
    sql::{Conn, sql},
    turn::json,
};

/// What is lent: a number of its own, or a number shared with others and a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberLease {
    pub number: String,
    /// Empty without one.
    pub code: String,
}

impl Store {
    /// Lends the first of `wanted` that is free until `until`; None when none is. One that has run out is free.
    pub async fn lend_number(
        &self,
        tenant: &TenantId,
        wanted: Vec<NumberLease>,
        visit: &Visit,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<NumberLease>, StoreError> {
        let (tenant, visit) = (tenant.clone(), json("visit", tenant, visit)?);
        self.write(move |conn| {
            Box::pin(async move {
                for lease in wanted {
                    if lend(conn, &tenant, &lease, &visit, now, until).await? {
                        return Ok(Some(lease));
                    }
                }
                Ok(None)
            })
        })
        .await
    }

    /// Numbers that somebody may call right now because they were lent.
    pub async fn numbers_lent(&self, tenant: &TenantId, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT DISTINCT number FROM number_leases WHERE tenant = $1 AND until > $2")
            .id(tenant)
            .int(now.as_millis())
            .all(&mut reader)
            .await?;
        rows.iter().map(|row| row.text("number")).collect()
    }

    /// The visit of whoever calls there; the lease is over with it.
    pub async fn take_lease(
        &self,
        tenant: &TenantId,
        lease: NumberLease,
        now: Timestamp,
    ) -> Result<Option<Visit>, StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let row = sql("SELECT visit FROM number_leases
                     WHERE tenant = $1 AND number = $2 AND code = $3 AND until > $4")
                .id(&tenant)
                .text(&lease.number)
                .text(&lease.code)
                .int(now.as_millis())
                .first(&mut *conn)
                .await?;
                let Some(row) = row else { return Ok(None) };
                sql("DELETE FROM number_leases WHERE tenant = $1 AND number = $2 AND code = $3")
                    .id(&tenant)
                    .text(&lease.number)
                    .text(&lease.code)
                    .run(conn)
                    .await?;
                let visit = serde_json::from_str(&row.text("visit")?);
                visit.map(Some).map_err(|_| StoreError::corrupt("visit of tenant", &tenant))
            })
        })
        .await
    }

    /// Forgets leases that ran out before `now`.
    pub async fn purge_leases(&self, now: Timestamp) -> Result<(), StoreError> {
        self.run(sql("DELETE FROM number_leases WHERE until <= $1").int(now.as_millis())).await.map(drop)
    }
}

async fn lend(
    conn: &mut Conn,
    tenant: &TenantId,
    lease: &NumberLease,
    visit: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let lent = sql("INSERT INTO number_leases (tenant, number, code, until, visit) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, number, code) DO UPDATE SET until = excluded.until, visit = excluded.visit
         WHERE number_leases.until <= $6")
    .id(tenant)
    .text(&lease.number)
    .text(&lease.code)
    .int(until.as_millis())
    .text(visit)
    .int(now.as_millis())
    .run(conn)
    .await?;
    Ok(lent == 1)
}
