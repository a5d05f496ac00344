//! Staff: who may sign in, and the sessions of those who did.

use std::fmt;

use ringback_routing::{
    config::AgentConfig,
    ids::{AgentId, TenantId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    Store,
    error::StoreError,
    sql::{Row, sql},
    turn::json,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Agent,
    Supervisor,
    Admin,
    /// Runs the installation; belongs to no tenant.
    Operator,
    Auditor,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Agent, Role::Supervisor, Role::Admin, Role::Operator, Role::Auditor];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Agent => "agent",
            Role::Supervisor => "supervisor",
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or(StoreError::NotFound("role"))
    }
}

#[derive(Clone, PartialEq)]
pub struct User {
    /// What is typed at login; one namespace over all tenants.
    pub id: AgentId,
    /// None: not bound to a tenant (operators).
    pub tenant: Option<TenantId>,
    pub name: String,
    pub role: Role,
    pub password_hash: String,
    /// How the user takes contacts, if at all.
    pub agent: Option<AgentConfig>,
    pub disabled: bool,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("role", &self.role)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// A signed-in browser; the token itself is only in its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub token_digest: String,
    pub user: AgentId,
    pub tenant: Option<TenantId>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] when a user of that id exists, in whichever tenant.
    pub async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let created = sql("INSERT INTO users (id, tenant, name, role, password_hash, agent, disabled)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING")
                .id(&user.id)
                .opt_text(user.tenant.as_ref().map(TenantId::as_str))
                .text(&user.name)
                .text(user.role.as_str())
                .text(&user.password_hash)
                .opt_text(agent_json(&user)?)
                .int(i64::from(user.disabled))
                .run(conn)
                .await?;
                if created == 1 { Ok(()) } else { Err(StoreError::Taken("user")) }
            })
        })
        .await
    }

    /// Replaces what is kept of an existing user; the tenant cannot be changed. A user who is now disabled is signed out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such user.
    pub async fn update_user(&self, user: &User, now: Timestamp) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let updated =
                    sql("UPDATE users SET name = $3, role = $4, password_hash = $5, agent = $6, disabled = $7
                     WHERE id = $1 AND tenant IS NOT DISTINCT FROM $2")
                    .id(&user.id)
                    .opt_text(user.tenant.as_ref().map(TenantId::as_str))
                    .text(&user.name)
                    .text(user.role.as_str())
                    .text(&user.password_hash)
                    .opt_text(agent_json(&user)?)
                    .int(i64::from(user.disabled))
                    .run(&mut *conn)
                    .await?;
                if updated == 0 {
                    return Err(StoreError::NotFound("user"));
                }
                if user.disabled {
                    sql(REVOKE_ALL).id(&user.id).int(now.as_millis()).run(&mut *conn).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// By what was typed at login, before any tenant is known; disabled users too.
    pub async fn user_for_login(&self, id: &str) -> Result<Option<User>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT id, tenant, name, role, password_hash, agent, disabled FROM users WHERE id = $1")
            .text(id)
            .first(&mut reader)
            .await?;
        row.as_ref().map(user_of).transpose()
    }

    /// A user of that tenant (None: of no tenant).
    pub async fn user(&self, tenant: Option<&TenantId>, id: &AgentId) -> Result<Option<User>, StoreError> {
        Ok(self.user_for_login(id.as_str()).await?.filter(|user| user.tenant.as_ref() == tenant))
    }

    /// All users of that tenant (None: of no tenant), by id.
    pub async fn users(&self, tenant: Option<&TenantId>) -> Result<Vec<User>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, tenant, name, role, password_hash, agent, disabled FROM users
             WHERE tenant IS NOT DISTINCT FROM $1 ORDER BY id")
        .opt_text(tenant.map(TenantId::as_str))
        .all(&mut reader)
        .await?;
        rows.iter().map(user_of).collect()
    }

    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let session = session.clone();
        self.write(move |conn| {
            Box::pin(async move {
                sql("INSERT INTO staff_sessions (token_digest, user_id, tenant, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5)")
                .text(&session.token_digest)
                .id(&session.user)
                .opt_text(session.tenant.as_ref().map(TenantId::as_str))
                .int(session.created_at.as_millis())
                .int(session.expires_at.as_millis())
                .run(conn)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The session and its user, if the session is neither expired nor revoked and the user not disabled.
    pub async fn session(&self, token_digest: &str, now: Timestamp) -> Result<Option<(Session, User)>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT s.token_digest, s.created_at, s.expires_at,
                u.id, u.tenant, u.name, u.role, u.password_hash, u.agent, u.disabled
             FROM staff_sessions s JOIN users u ON u.id = s.user_id AND u.tenant IS NOT DISTINCT FROM s.tenant
             WHERE s.token_digest = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.disabled = 0")
        .text(token_digest)
        .int(now.as_millis())
        .first(&mut reader)
        .await?;
        row.map(|row| {
            let user = user_of(&row)?;
            let session = Session {
                token_digest: row.text("token_digest")?,
                user: user.id.clone(),
                tenant: user.tenant.clone(),
                created_at: Timestamp::from_millis(row.int("created_at")?),
                expires_at: Timestamp::from_millis(row.int("expires_at")?),
            };
            Ok((session, user))
        })
        .transpose()
    }

    /// Moves the expiry of a session that still holds.
    pub async fn extend_session(&self, token_digest: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let digest = token_digest.to_owned();
        self.write(move |conn| {
            Box::pin(async move {
                sql("UPDATE staff_sessions SET expires_at = $2 WHERE token_digest = $1 AND revoked_at IS NULL")
                    .text(&digest)
                    .int(expires_at.as_millis())
                    .run(conn)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    pub async fn revoke_session(&self, token_digest: &str, now: Timestamp) -> Result<(), StoreError> {
        let digest = token_digest.to_owned();
        self.write(move |conn| {
            Box::pin(async move {
                sql("UPDATE staff_sessions SET revoked_at = $2 WHERE token_digest = $1 AND revoked_at IS NULL")
                    .text(&digest)
                    .int(now.as_millis())
                    .run(conn)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Signs the user out everywhere; says how many sessions that were.
    pub async fn revoke_sessions_of(&self, user: &AgentId, now: Timestamp) -> Result<u64, StoreError> {
        let user = user.clone();
        self.write(move |conn| {
            Box::pin(async move { Ok(sql(REVOKE_ALL).id(&user).int(now.as_millis()).run(conn).await?) })
        })
        .await
    }
}

const REVOKE_ALL: &str = "UPDATE staff_sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL";

fn agent_json(user: &User) -> Result<Option<String>, StoreError> {
    user.agent.as_ref().map(|agent| json("agent profile of", &user.id, agent)).transpose()
}

fn user_of(row: &Row) -> Result<User, StoreError> {
    let id = row.text("id")?;
    let role = row.text("role")?.parse().map_err(|_| StoreError::corrupt("role of user", &id))?;
    let agent = match row.opt_text("agent")? {
        Some(doc) => Some(serde_json::from_str(&doc).map_err(|_| StoreError::corrupt("agent profile of", &id))?),
        None => None,
    };
    Ok(User {
        id: AgentId::new(id),
        tenant: row.opt_text("tenant")?.map(TenantId::new),
        name: row.text("name")?,
        role,
        password_hash: row.text("password_hash")?,
        agent,
        disabled: row.int("disabled")? != 0,
    })
}
