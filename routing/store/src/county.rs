//! Tenants that were founded while the server ran.

use ringback_routing::{ids::TenantId, time::Timestamp};
use serde_json::Value;

use crate::{
    ConnectedTrunk, Store, User,
    error::StoreError,
    sql::sql,
    trunk::{connect, doc_of},
    turn::DOC_VERSION,
    user,
};

/// A tenant as it was founded; what is set for it since then is in its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundedTenant {
    pub id: TenantId,
    pub doc: Value,
}

/// Everything a tenant begins with: kept as a whole or not at all.
#[derive(Debug, Clone)]
pub struct Founding {
    pub tenant: FoundedTenant,
    /// Its first version.
    pub settings: Value,
    pub people: Vec<User>,
    pub trunk: Option<ConnectedTrunk>,
    pub who: String,
    pub at: Timestamp,
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] names what is there already: `tenant`, `trunk` or `user`. Nothing of it is kept then.
    pub async fn found(&self, founding: Founding) -> Result<(), StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let Founding { tenant, settings, people, trunk, who, at } = &founding;
                let kept = sql("INSERT INTO tenants (id, doc_version, doc, who, at)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING")
                .id(&tenant.id)
                .int(DOC_VERSION)
                .text(tenant.doc.to_string())
                .text(who)
                .int(at.as_millis())
                .run(&mut *conn)
                .await?;
                if kept == 0 {
                    return Err(StoreError::Taken("tenant"));
                }
                sql("INSERT INTO tenant_configs (tenant, version, doc_version, doc, who, at) VALUES ($1, 1, $2, $3, $4, $5)")
                    .id(&tenant.id)
                    .int(DOC_VERSION)
                    .text(settings.to_string())
                    .text(who)
                    .int(at.as_millis())
                    .run(&mut *conn)
                    .await?;
                if let Some(trunk) = trunk {
                    connect(conn, trunk, who, *at).await?;
                }
                for person in people {
                    user::create(conn, person).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// In the order in which they were founded.
    pub async fn founded_tenants(&self) -> Result<Vec<FoundedTenant>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, doc_version, doc FROM tenants ORDER BY at, id").all(&mut reader).await?;
        rows.iter().map(|row| Ok(FoundedTenant { id: TenantId::new(row.text("id")?), doc: doc_of(row)? })).collect()
    }
}
