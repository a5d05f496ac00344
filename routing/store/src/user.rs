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
    sql::{Conn, Row, sql},
    turn::json,
    user_version,
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

/// What a person may do besides what the role's pages are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Listen to recordings.
    Listen,
    /// Take evidence out of the house: audit, recordings as files.
    Export,
    /// Close the office and open it again.
    Close,
    /// Say which numbers are never called.
    DoNotCall,
    /// Add and change people and keys.
    People,
    /// Write to customers first, by SMS (O8).
    RoleSms,
}

impl Permission {
    pub const ALL: [Permission; 6] =
        [Self::Listen, Self::Export, Self::Close, Self::DoNotCall, Self::People, Self::RoleSms];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Export => "export",
            Self::Close => "close",
            Self::DoNotCall => "do_not_call",
            Self::People => "people",
            Self::RoleSms => "role_sms",
        }
    }
}

impl Role {
    /// What the role may unless a person was given more or less.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::*;
        match self {
            Role::Agent => &[],
            Role::Supervisor => &[Listen, Close, DoNotCall],
            // Writing first to customers is granted to single people only (O8).
            Role::Admin => &[Listen, Export, Close, DoNotCall, People],
            Role::Operator => &[Export, DoNotCall, People],
            Role::Auditor => &[Listen, Export],
        }
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
    /// In place of the role's.
    pub permissions: Option<Vec<Permission>>,
    /// `issuer subject` at the identity provider; such a person has no password here.
    pub external: Option<String>,
    /// Has an authenticator app enrolled. Set by [`Store::set_second_factor`] only.
    pub second_factor: bool,
    /// The password was set by somebody else: an own one has to be chosen before anything else.
    pub must_change: bool,
}

impl User {
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.as_deref().unwrap_or(self.role.permissions()).contains(&permission)
    }
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
    /// The session at the identity provider, if it signed the user in: `issuer sid`.
    pub idp_session: Option<String>,
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] when a user of that id exists, in whichever tenant.
    pub async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(move |conn| Box::pin(async move { create(conn, &user).await })).await
    }

    /// Replaces what is kept of an existing user; the tenant cannot be changed. A user who is now disabled is signed out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such user.
    pub async fn update_user(&self, user: &User, now: Timestamp) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(move |conn| Box::pin(async move { update(conn, &user, now).await })).await
    }

    /// The same by somebody else, `who`: what was otherwise before is kept as a version.
    ///
    /// # Errors
    /// As [`Self::update_user`].
    pub async fn change_user(&self, user: &User, who: &str, now: Timestamp) -> Result<(), StoreError> {
        let (user, who) = (user.clone(), who.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let row =
                    sql("SELECT id, tenant, name, role, password_hash, agent, disabled, permissions, external, totp,
                        must_change FROM users WHERE id = $1")
                    .id(&user.id)
                    .first(&mut *conn)
                    .await?;
                let before = row.as_ref().map(user_of).transpose()?.ok_or(StoreError::NotFound("user"))?;
                update(conn, &user, now).await?;
                user_version::keep(conn, &before, &user, &who, now).await
            })
        })
        .await
    }

    /// By what was typed at login, before any tenant is known; disabled users too.
    pub async fn user_for_login(&self, id: &str) -> Result<Option<User>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT id, tenant, name, role, password_hash, agent, disabled, permissions, external, totp, must_change FROM users WHERE id = $1")
            .text(id)
            .first(&mut reader)
            .await?;
        row.as_ref().map(user_of).transpose()
    }

    /// By issuer and subject of the identity provider.
    pub async fn user_of_provider(&self, external: &str) -> Result<Option<User>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql(
            "SELECT id, tenant, name, role, password_hash, agent, disabled, permissions, external, totp, must_change
             FROM users WHERE external = $1",
        )
        .text(external)
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
        let rows =
            sql("SELECT id, tenant, name, role, password_hash, agent, disabled, permissions, external, totp, must_change FROM users
             WHERE tenant IS NOT DISTINCT FROM $1 ORDER BY id")
            .opt_text(tenant.map(TenantId::as_str))
            .all(&mut reader)
            .await?;
        rows.iter().map(user_of).collect()
    }

    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let statement =
            sql("INSERT INTO staff_sessions (token_digest, user_id, tenant, created_at, expires_at, idp_session)
                     VALUES ($1, $2, $3, $4, $5, $6)")
            .text(&session.token_digest)
            .id(&session.user)
            .opt_text(session.tenant.as_ref().map(TenantId::as_str))
            .int(session.created_at.as_millis())
            .int(session.expires_at.as_millis())
            .opt_text(session.idp_session.as_ref());
        self.run(statement).await.map(drop)
    }

    /// The session and its user, if the session is neither expired nor revoked and the user not disabled.
    pub async fn session(&self, token_digest: &str, now: Timestamp) -> Result<Option<(Session, User)>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT s.token_digest, s.created_at, s.expires_at, s.idp_session,
                u.id, u.tenant, u.name, u.role, u.password_hash, u.agent, u.disabled, u.permissions, u.external, u.totp, u.must_change
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
                idp_session: row.opt_text("idp_session")?,
            };
            Ok((session, user))
        })
        .transpose()
    }

    /// Moves the expiry of a session that still holds.
    pub async fn extend_session(&self, token_digest: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let statement = sql("UPDATE staff_sessions SET expires_at = $2 WHERE token_digest = $1 AND revoked_at IS NULL")
            .text(token_digest)
            .int(expires_at.as_millis());
        self.run(statement).await.map(drop)
    }

    pub async fn revoke_session(&self, token_digest: &str, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql("UPDATE staff_sessions SET revoked_at = $2 WHERE token_digest = $1 AND revoked_at IS NULL")
            .text(token_digest)
            .int(now.as_millis());
        self.run(statement).await.map(drop)
    }

    /// Ends what the identity provider began: its session, or all of that user's. Says which sessions they were.
    pub async fn revoke_provider_sessions(&self, idp_session: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let idp_session = idp_session.to_owned();
        self.write(move |conn| {
            Box::pin(async move {
                let rows =
                    sql("UPDATE staff_sessions SET revoked_at = $2 WHERE idp_session = $1 AND revoked_at IS NULL
                     RETURNING token_digest")
                    .text(&idp_session)
                    .int(now.as_millis())
                    .all(conn)
                    .await?;
                rows.iter().map(|row| row.text("token_digest")).collect()
            })
        })
        .await
    }

    /// Signs the user out everywhere but in one session; says which sessions those were.
    pub async fn end_other_sessions(
        &self,
        user: &AgentId,
        but: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let (user, but) = (user.clone(), but.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let rows = sql("UPDATE staff_sessions SET revoked_at = $3
                     WHERE user_id = $1 AND token_digest <> $2 AND revoked_at IS NULL RETURNING token_digest")
                .id(&user)
                .text(&but)
                .int(now.as_millis())
                .all(conn)
                .await?;
                rows.iter().map(|row| row.text("token_digest")).collect()
            })
        })
        .await
    }

    /// Signs the user out everywhere; says how many sessions that were.
    pub async fn revoke_sessions_of(&self, user: &AgentId, now: Timestamp) -> Result<u64, StoreError> {
        self.run(sql(REVOKE_ALL).id(user).int(now.as_millis())).await
    }
}

/// One more user, within a write of more than that.
pub(crate) async fn create(conn: &mut Conn, user: &User) -> Result<(), StoreError> {
    let created = sql("INSERT INTO users
            (id, tenant, name, role, password_hash, agent, disabled, permissions, external, must_change)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING")
    .id(&user.id)
    .opt_text(user.tenant.as_ref().map(TenantId::as_str))
    .text(&user.name)
    .text(user.role.as_str())
    .text(&user.password_hash)
    .opt_text(agent_json(user)?)
    .int(i64::from(user.disabled))
    .opt_text(permissions_json(user)?)
    .opt_text(user.external.as_ref())
    .int(i64::from(user.must_change))
    .run(conn)
    .await?;
    if created == 1 { Ok(()) } else { Err(StoreError::Taken("user")) }
}

async fn update(conn: &mut Conn, user: &User, now: Timestamp) -> Result<(), StoreError> {
    let updated = sql("UPDATE users SET name = $3, role = $4, password_hash = $5, agent = $6, disabled = $7,
            permissions = $8, external = $9, must_change = $10
         WHERE id = $1 AND tenant IS NOT DISTINCT FROM $2")
    .id(&user.id)
    .opt_text(user.tenant.as_ref().map(TenantId::as_str))
    .text(&user.name)
    .text(user.role.as_str())
    .text(&user.password_hash)
    .opt_text(agent_json(user)?)
    .int(i64::from(user.disabled))
    .opt_text(permissions_json(user)?)
    .opt_text(user.external.as_ref())
    .int(i64::from(user.must_change))
    .run(&mut *conn)
    .await?;
    if updated == 0 {
        return Err(StoreError::NotFound("user"));
    }
    if user.disabled {
        sql(REVOKE_ALL).id(&user.id).int(now.as_millis()).run(conn).await?;
    }
    Ok(())
}

const REVOKE_ALL: &str = "UPDATE staff_sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL";

fn agent_json(user: &User) -> Result<Option<String>, StoreError> {
    user.agent.as_ref().map(|agent| json("agent profile of", &user.id, agent)).transpose()
}

fn permissions_json(user: &User) -> Result<Option<String>, StoreError> {
    user.permissions.as_ref().map(|list| json("permissions of", &user.id, list)).transpose()
}

pub(crate) fn user_of(row: &Row) -> Result<User, StoreError> {
    let id = row.text("id")?;
    let role = row.text("role")?.parse().map_err(|_| StoreError::corrupt("role of user", &id))?;
    let agent = match row.opt_text("agent")? {
        Some(doc) => Some(serde_json::from_str(&doc).map_err(|_| StoreError::corrupt("agent profile of", &id))?),
        None => None,
    };
    let permissions = match row.opt_text("permissions")? {
        Some(doc) => Some(serde_json::from_str(&doc).map_err(|_| StoreError::corrupt("permissions of", &id))?),
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
        permissions,
        external: row.opt_text("external")?,
        second_factor: row.opt_text("totp")?.is_some(),
        must_change: row.int("must_change")? != 0,
    })
}
