//! What became of the people who work here, state by state: who changed role, rights and desk, and when.

use ringback_routing::{
    config::AgentConfig,
    ids::{AgentId, TenantId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    Store,
    error::StoreError,
    page_size,
    sql::{Conn, Row, sql},
    turn::json,
    user::{Permission, Role, User},
};

/// What of a person others set; no password and no second factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserState {
    pub name: String,
    pub role: Role,
    pub disabled: bool,
    /// In place of the role's.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
    #[serde(default)]
    pub agent: Option<AgentConfig>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct UserVersion {
    /// 1, 2, 3 … of this person.
    pub version: u64,
    /// Empty: as it was before the first change.
    pub who: String,
    pub at: Timestamp,
    pub state: UserState,
}

impl From<&User> for UserState {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            role: user.role,
            disabled: user.disabled,
            permissions: user.permissions.clone(),
            agent: user.agent.clone(),
        }
    }
}

impl Store {
    /// The latest first; empty as long as nobody was changed.
    pub async fn user_versions(
        &self,
        tenant: Option<&TenantId>,
        user: &AgentId,
        limit: u32,
    ) -> Result<Vec<UserVersion>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT version, who, at, doc FROM user_versions
             WHERE user_id = $1 AND tenant IS NOT DISTINCT FROM $2 ORDER BY version DESC LIMIT $3")
        .id(user)
        .opt_text(tenant.map(TenantId::as_str))
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(|row| version_of(row, user)).collect()
    }
}

fn version_of(row: &Row, user: &AgentId) -> Result<UserVersion, StoreError> {
    Ok(UserVersion {
        version: row.int("version")?.unsigned_abs(),
        who: row.text("who")?,
        at: Timestamp::from_millis(row.int("at")?),
        state: serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("state of", user))?,
    })
}

/// Within the write that changes the person: the state before, if it is not kept yet, and the one from now on.
pub(crate) async fn keep(
    conn: &mut Conn,
    before: &User,
    after: &User,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (old, new) = (UserState::from(before), UserState::from(after));
    if old == new {
        return Ok(());
    }
    let last = sql("SELECT COALESCE(MAX(version), 0) AS last FROM user_versions WHERE user_id = $1")
        .id(&after.id)
        .first(&mut *conn)
        .await?
        .map_or(Ok(0), |row| row.int("last"))?;
    if last == 0 {
        insert(conn, after, &old, 1, "", now).await?;
    }
    insert(conn, after, &new, last.max(1) + 1, who, now).await
}

async fn insert(
    conn: &mut Conn,
    user: &User,
    state: &UserState,
    version: i64,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql("INSERT INTO user_versions (user_id, version, tenant, who, at, doc) VALUES ($1, $2, $3, $4, $5, $6)")
        .id(&user.id)
        .int(version)
        .opt_text(user.tenant.as_ref().map(TenantId::as_str))
        .text(who)
        .int(now.as_millis())
        .text(json("state of", &user.id, state)?)
        .run(conn)
        .await?;
    Ok(())
}
