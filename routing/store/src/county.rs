//! Tenants that were founded, and carriers that were connected, while the server ran.

use ringback_routing::{
    ids::{TenantId, TrunkId},
    time::Timestamp,
};
use serde_json::Value;

use crate::{
    Store, User,
    error::StoreError,
    sql::{Conn, Row, sql},
    turn::DOC_VERSION,
    user,
};

/// A tenant as it was founded; what is set for it since then is in its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundedTenant {
    pub id: TenantId,
    pub doc: Value,
}

/// A carrier's connection. Its password is not printed.
#[derive(Clone, PartialEq)]
pub struct ConnectedTrunk {
    pub id: TrunkId,
    pub doc: Value,
    pub password: Option<String>,
}

impl std::fmt::Debug for ConnectedTrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectedTrunk").field("id", &self.id).finish_non_exhaustive()
    }
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

    /// # Errors
    /// [`StoreError::Taken`] when there is one of that id.
    pub async fn connect_trunk(&self, trunk: ConnectedTrunk, who: &str, at: Timestamp) -> Result<(), StoreError> {
        let who = who.to_owned();
        self.write(move |conn| Box::pin(async move { connect(conn, &trunk, &who, at).await })).await
    }

    /// In the order in which they were founded.
    pub async fn founded_tenants(&self) -> Result<Vec<FoundedTenant>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, doc_version, doc FROM tenants ORDER BY at, id").all(&mut reader).await?;
        rows.iter().map(|row| Ok(FoundedTenant { id: TenantId::new(row.text("id")?), doc: doc_of(row)? })).collect()
    }

    pub async fn connected_trunks(&self) -> Result<Vec<ConnectedTrunk>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, doc_version, doc, password FROM trunks ORDER BY at, id").all(&mut reader).await?;
        let one = |row: &Row| {
            Ok(ConnectedTrunk {
                id: TrunkId::new(row.text("id")?),
                doc: doc_of(row)?,
                password: row.opt_text("password")?,
            })
        };
        rows.iter().map(one).collect()
    }
}

async fn connect(conn: &mut Conn, trunk: &ConnectedTrunk, who: &str, at: Timestamp) -> Result<(), StoreError> {
    let kept = sql("INSERT INTO trunks (id, doc_version, doc, password, who, at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING")
    .id(&trunk.id)
    .int(DOC_VERSION)
    .text(trunk.doc.to_string())
    .opt_text(trunk.password.as_ref())
    .text(who)
    .int(at.as_millis())
    .run(conn)
    .await?;
    if kept == 1 { Ok(()) } else { Err(StoreError::Taken("trunk")) }
}

fn doc_of(row: &Row) -> Result<Value, StoreError> {
    let id = row.text("id")?;
    if row.int("doc_version")? != DOC_VERSION {
        return Err(StoreError::corrupt("founding of", id));
    }
    serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("founding of", id))
}
