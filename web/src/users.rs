//! `ringback user add`, and the people of the demo.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Read, Write},
};

use ringback_routing::{
    config::AgentConfig,
    ids::{AgentId, TenantId},
};
use ringback_store::{AuditEntry, Role, Store, User};

use crate::{
    cli::UserAdd,
    config::{ServerConfig, Tenant},
    counties, password,
    start::{self, RunError},
};

/// Creates the user of the command line. A running server learns of a new agent when that one signs in.
pub async fn add(add: &UserAdd) -> Result<(), RunError> {
    let config = ServerConfig::load(&add.config).map_err(|error| RunError::Config(error.to_string()))?;
    let store = start::open_store(&config).await?;
    let config = counties::in_force(&store, config).await?;
    let tenant = match &add.tenant {
        Some(word) => {
            let id = TenantId::new(word);
            Some(config.tenant(&id).ok_or_else(|| RunError::Config(format!("there is no tenant `{word}`")))?)
        }
        None => None,
    };
    let password = read_password()?;
    let name = add.name.clone().unwrap_or_else(|| add.id.clone());
    let mut user = new_user(&add.id, &name, add.role, tenant, &password)?;
    if let Some(agent) = &mut user.agent {
        agent.can_reject &= !add.no_reject;
        agent.skills = add.skills.clone().unwrap_or_else(|| std::mem::take(&mut agent.skills));
    }
    store.create_user(&user).await?;
    let detail = serde_json::json!({ "role": add.role.as_str() });
    let (who, what, target) = ("system".to_owned(), "user_added".to_owned(), add.id.clone());
    store.audit(user.tenant.as_ref(), AuditEntry { at: start::wall_clock(), who, what, target, detail }).await?;
    store.close().await;
    Ok(())
}

/// A user with a hashed password; agents and supervisors can take contacts of all the tenant's queues.
pub fn new_user(id: &str, name: &str, role: Role, tenant: Option<&Tenant>, password: &str) -> Result<User, RunError> {
    Ok(User {
        id: AgentId::new(id),
        tenant: tenant.map(|tenant| tenant.core.id.clone()),
        name: name.to_owned(),
        role,
        password_hash: password::hash(password).map_err(|error| RunError::Config(error.to_string()))?,
        agent: desk_of(id, name, role, tenant),
        disabled: false,
        permissions: None,
        external: None,
        second_factor: false,
        must_change: false,
    })
}

/// How somebody of that role takes contacts, if at all.
pub fn desk_of(id: &str, name: &str, role: Role, tenant: Option<&Tenant>) -> Option<AgentConfig> {
    let takes_contacts = matches!(role, Role::Agent);
    tenant.filter(|_| takes_contacts).map(|tenant| AgentConfig {
        id: AgentId::new(id),
        name: name.to_owned(),
        queues: tenant.core.queues.iter().map(|queue| queue.id.clone()).collect(),
        skills: all_skills(tenant),
        can_reject: tenant.face.can_reject,
        voice_slots: 1,
        chat_slots: 2,
    })
}

/// Whether somebody can be called so: what is typed at sign-in.
pub fn is_name(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.@".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(fits)
}

/// Until an administrator says otherwise, every skill that the tenant's subjects and languages ask for, at the highest level.
fn all_skills(tenant: &Tenant) -> BTreeMap<ringback_routing::ids::SkillId, u8> {
    let targets = tenant.core.subjects.iter().flat_map(|subject| &subject.targets);
    let languages = tenant.core.language_skills.values().map(|(skill, _)| skill);
    targets.flat_map(|target| target.skills.keys()).chain(languages).map(|skill| (skill.clone(), 10)).collect()
}

/// Creates the user unless one of that name exists.
pub async fn ensure(store: &Store, user: User) -> Result<(), RunError> {
    match store.create_user(&user).await {
        Ok(()) | Err(ringback_store::StoreError::Taken(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The first line of standard input, asked for on a terminal.
fn read_password() -> Result<String, RunError> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        let mut out = std::io::stderr();
        write!(out, "Password: ")?;
        out.flush()?;
        let mut line = String::new();
        echo(false);
        let read = input.read_line(&mut line);
        echo(true);
        writeln!(out)?;
        read?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let mut text = String::new();
    input.by_ref().take(1024).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or("").to_owned())
}

/// Whether the terminal shows what is typed; where there is no `stty` it goes on showing it.
fn echo(on: bool) {
    let word = if on { "echo" } else { "-echo" };
    if let Err(error) = std::process::Command::new("stty").arg(word).status() {
        tracing::debug!(%error, "the terminal's echo cannot be set");
    }
}
