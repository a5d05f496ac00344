//! Carriers that were connected while the server ran: how they are now, and every state they were in.

use ringback_routing::{ids::TrunkId, time::Timestamp};
use serde_json::Value;

use crate::{
    Store,
    error::StoreError,
    sql::{Conn, Row, sql},
    turn::DOC_VERSION,
};

/// A carrier's connection. Its password is not printed; who keeps it seals it.
#[derive(Clone, PartialEq)]
pub struct ConnectedTrunk {
    pub id: TrunkId,
    pub doc: Value,
    pub password: Option<String>,
    /// No calls go over it any more.
    pub retired: bool,
}

impl std::fmt::Debug for ConnectedTrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectedTrunk").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A state of a carrier's connection.
#[derive(Debug, Clone, PartialEq)]
pub struct TrunkVersion {
    /// 1, 2, 3 …
    pub version: u64,
    pub doc: Value,
    pub retired: bool,
    pub who: String,
    pub at: Timestamp,
}

/// A connection made otherwise.
#[derive(Clone)]
pub struct TrunkChange {
    /// The version it was made from.
    pub base: u64,
    /// With the password as it is to be kept; None in it leaves the one that is there.
    pub trunk: ConnectedTrunk,
    pub who: String,
    pub at: Timestamp,
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] when there is one of that id.
    pub async fn connect_trunk(&self, trunk: ConnectedTrunk, who: &str, at: Timestamp) -> Result<(), StoreError> {
        let who = who.to_owned();
        self.write(move |conn| Box::pin(async move { connect(conn, &trunk, &who, at).await })).await
    }

    pub async fn connected_trunks(&self) -> Result<Vec<ConnectedTrunk>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT id, doc_version, doc, password, retired FROM trunks ORDER BY at, id").all(&mut reader).await?;
        let one = |row: &Row| {
            Ok(ConnectedTrunk {
                id: TrunkId::new(row.text("id")?),
                doc: doc_of(row)?,
                password: row.opt_text("password")?,
                retired: row.int("retired")? != 0,
            })
        };
        rows.iter().map(one).collect()
    }

    /// Keeps the change as the version after its base and gives its number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such trunk, [`StoreError::Taken`] when another version was kept since.
    pub async fn change_trunk(&self, change: TrunkChange) -> Result<u64, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let TrunkChange { base, trunk, who, at } = &change;
                let last = sql("SELECT COALESCE(MAX(version), 0) AS last FROM trunk_versions WHERE id = $1")
                    .id(&trunk.id)
                    .first(&mut *conn)
                    .await?
                    .map_or(Ok(0), |row| row.int("last"))?;
                match u64::try_from(last) {
                    Ok(0) | Err(_) => return Err(StoreError::NotFound("trunk")),
                    Ok(last) if last != *base => return Err(StoreError::Taken("version")),
                    Ok(_) => {}
                }
                keep_version(conn, trunk, last + 1, who, *at).await?;
                sql("UPDATE trunks SET doc = $2, retired = $3, password = COALESCE($4, password) WHERE id = $1")
                    .id(&trunk.id)
                    .text(trunk.doc.to_string())
                    .int(i64::from(trunk.retired))
                    .opt_text(trunk.password.as_ref())
                    .run(&mut *conn)
                    .await?;
                Ok(base + 1)
            })
        })
        .await
    }

    /// The latest first.
    pub async fn trunk_versions(&self, id: &TrunkId, limit: u32) -> Result<Vec<TrunkVersion>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, version, doc_version, doc, retired, who, at FROM trunk_versions
             WHERE id = $1 ORDER BY version DESC LIMIT $2")
        .id(id)
        .int(crate::page_size(limit))
        .all(&mut reader)
        .await?;
        let one = |row: &Row| {
            Ok(TrunkVersion {
                version: row.int("version")?.unsigned_abs(),
                doc: doc_of(row)?,
                retired: row.int("retired")? != 0,
                who: row.text("who")?,
                at: Timestamp::from_millis(row.int("at")?),
            })
        };
        rows.iter().map(one).collect()
    }

    /// The same password, kept otherwise.
    pub async fn reseal_trunk(&self, id: &TrunkId, password: &str) -> Result<(), StoreError> {
        self.run(sql("UPDATE trunks SET password = $2 WHERE id = $1").id(id).text(password)).await.map(drop)
    }
}

pub(crate) async fn connect(
    conn: &mut Conn,
    trunk: &ConnectedTrunk,
    who: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let kept = sql("INSERT INTO trunks (id, doc_version, doc, password, who, at, retired)
         VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (id) DO NOTHING")
    .id(&trunk.id)
    .int(DOC_VERSION)
    .text(trunk.doc.to_string())
    .opt_text(trunk.password.as_ref())
    .text(who)
    .int(at.as_millis())
    .run(&mut *conn)
    .await?;
    if kept != 1 {
        return Err(StoreError::Taken("trunk"));
    }
    keep_version(conn, trunk, 1, who, at).await
}

async fn keep_version(
    conn: &mut Conn,
    trunk: &ConnectedTrunk,
    version: i64,
    who: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sql("INSERT INTO trunk_versions (id, version, doc_version, doc, retired, who, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .id(&trunk.id)
    .int(version)
    .int(DOC_VERSION)
    .text(trunk.doc.to_string())
    .int(i64::from(trunk.retired))
    .text(who)
    .int(at.as_millis())
    .run(conn)
    .await?;
    Ok(())
}

pub(crate) fn doc_of(row: &Row) -> Result<Value, StoreError> {
    let id = row.text("id")?;
    if row.int("doc_version")? != DOC_VERSION {
        return Err(StoreError::corrupt("founding of", id));
    }
    serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("founding of", id))
}
