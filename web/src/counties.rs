//! Tenants that are founded, and carriers that are connected, while the server runs: the operator's part of what else the
//! configuration file says.

use std::{collections::BTreeMap, sync::PoisonError};

use chrono_tz::Tz;
use ringback_engine::TenantSetup;
use ringback_routing::ids::{TenantId, TrunkId};
use ringback_store::{ConnectedTrunk, FoundedTenant, Founding, Role, Store, StoreError, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    carriers,
    config::{AuthMode, ConfigFile, ServerConfig, SipTransport, Srtp, Tenant, Trunk, bare_tenant},
    settings::{self, Settings, SettingsError},
    state::App,
    telephony,
};

/// What of a founded tenant is never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ground {
    name: String,
    timezone: Tz,
}

/// A carrier's connection as an operator gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkPlan {
    /// 1 to 40 of a-z, 0-9, - and _
    pub id: String,
    /// udp, tcp or tls
    #[serde(default)]
    #[schema(value_type = String)]
    pub transport: SipTransport,
    pub host: String,
    /// Null: the host is looked up by SRV.
    #[serde(default)]
    pub port: Option<u16>,
    /// Calls at one time.
    pub channels: usize,
    /// The number shown to customers, E.164.
    pub caller_id: String,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub from_domain: Option<String>,
    /// For how long a registration is asked; 0: the carrier knows us without.
    #[serde(default)]
    pub register_seconds: u32,
    /// How often the carrier is asked whether it is there; 0: never.
    #[serde(default = "usual_options")]
    pub options_seconds: u32,
    /// Whether the sound is encrypted: off, optional or required.
    #[serde(default)]
    #[schema(value_type = String)]
    pub srtp: Srtp,
    /// Whether the carrier connects calls that are passed to a number outside itself (REFER).
    #[serde(default)]
    pub refer: bool,
    /// Whose it is; null: any tenant may use it.
    #[serde(default)]
    pub tenant: Option<String>,
}

fn usual_options() -> u32 {
    30
}

/// What stands between a tenant and its first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No opening hours.
    Hours,
    /// Nobody who can sign in to change settings.
    Administrator,
    /// Nobody who takes calls.
    Agent,
    /// No line out.
    Trunk,
    /// None of the lines answers.
    TrunkDown,
    /// Neither callbacks nor chats are on.
    OptIn,
    /// Customers must be vouched for, and no portal can do it.
    Portal,
}

impl TrunkPlan {
    /// The field that cannot be kept.
    pub fn fault(&self) -> Option<&'static str> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let digits = self.caller_id.strip_prefix('+').unwrap_or_default();
        let typed = |text: &Option<String>| {
            text.as_ref().is_none_or(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
        };
        if !(1..=40).contains(&self.id.len()) || !self.id.bytes().all(plain) {
            Some("id")
        } else if !(1..=253).contains(&self.host.len()) || !self.host.bytes().all(host) {
            Some("host")
        } else if self.port == Some(0) {
            Some("port")
        } else if !(1..=10_000).contains(&self.channels) {
            Some("channels")
        } else if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Some("caller_id")
        } else if !typed(&self.username) || (self.register_seconds > 0 && self.username.is_none()) {
            Some("username")
        } else if !typed(&self.from_domain) {
            Some("from_domain")
        } else {
            (self.register_seconds > 86_400 || self.options_seconds > 86_400).then_some("options_seconds")
        }
    }

    /// As the configuration has it.
    pub fn trunk(&self, password: Option<String>) -> Option<Trunk> {
        let mut keys = serde_json::to_value(self).ok()?;
        // What is not given is left out, and the owner is none of the connection's keys.
        let fields = keys.as_object_mut()?;
        fields.retain(|name, value| name != "tenant" && !value.is_null());
        Trunk::of(&keys, password)
    }
}

/// A tenant of that name with nothing set: everything is off, and nobody is asked to sign in anywhere.
fn bare(id: &TenantId, ground: &Ground, trunks: &[TrunkId], file: &ConfigFile) -> Option<Tenant> {
    let mut tenant = bare_tenant(id, &ground.name, ground.timezone, trunks, file)?;
    tenant.face.auth = AuthMode::None;
    Some(tenant)
}

/// The configuration with what the ledger keeps: founded tenants, connected carriers, and every tenant's settings. What
/// stands in the file goes before what is called the same in the ledger.
pub async fn in_force(store: &Store, mut config: ServerConfig) -> Result<ServerConfig, StoreError> {
    for kept in store.connected_trunks().await?.into_iter().filter(|kept| !kept.retired) {
        let plan: TrunkPlan = read(&kept.id, kept.doc.clone())?;
        if config.trunks.iter().any(|trunk| *trunk.table.id.get_ref() == kept.id) {
            tracing::warn!(trunk = %kept.id, "a trunk of that id stands in the file; the one of the ledger is left out");
            continue;
        }
        for tenant in config.tenants.iter_mut().filter(|tenant| plan.is_for(&tenant.core.id)) {
            tenant.face.trunks.push(kept.id.clone());
        }
        let corrupt = || StoreError::Corrupt { kind: "founding of", id: kept.id.as_str().into() };
        let password = carriers::opened(store, &config, &kept).await?;
        config.trunks.push(plan.trunk(password).ok_or_else(corrupt)?);
    }
    for kept in store.founded_tenants().await? {
        let ground: Ground = read(&kept.id, kept.doc)?;
        if config.tenant(&kept.id).is_some() {
            tracing::warn!(tenant = %kept.id, "a tenant of that id stands in the file; the one of the ledger is left out");
            continue;
        }
        let trunks = usable(&config.trunks, store, &kept.id).await?;
        match bare(&kept.id, &ground, &trunks, &config.file) {
            Some(tenant) => config.tenants.push(tenant),
            None => return Err(StoreError::Corrupt { kind: "founding of", id: kept.id.as_str().into() }),
        }
    }
    settings::in_force(store, config).await
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(
    id: &impl ToString,
    doc: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(doc).map_err(|_| StoreError::Corrupt { kind: "founding of", id: id.to_string().into() })
}

impl TrunkPlan {
    pub(crate) fn is_for(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|owner| owner == tenant.as_str())
    }
}

/// The trunks a founded tenant may use: those of the file, and of the others the common ones and its own.
async fn usable(trunks: &[Trunk], store: &Store, tenant: &TenantId) -> Result<Vec<TrunkId>, StoreError> {
    let mut owned = BTreeMap::new();
    for kept in store.connected_trunks().await? {
        owned.insert(kept.id.clone(), read::<TrunkPlan>(&kept.id, kept.doc)?.is_for(tenant));
    }
    let ids = trunks.iter().map(|trunk| trunk.table.id.get_ref().clone());
    Ok(ids.filter(|id| owned.get(id).copied().unwrap_or(true)).collect())
}

/// What a tenant is founded with.
pub struct Plan {
    pub id: String,
    pub name: String,
    pub timezone: Tz,
    pub settings: Settings,
    pub trunk: Option<(TrunkPlan, Option<String>)>,
    /// Without their desks, which come of the settings.
    pub people: Vec<User>,
}

/// Keeps the tenant with all it begins with, and opens it in the running server. What is kept is there at the latest after
/// the next start.
pub async fn found(app: &App, who: &str, plan: Plan) -> Result<TenantId, SettingsError> {
    let _turn = app.settings_turn.lock().await;
    let id = TenantId::new(&plan.id);
    if app.faces.get(&id).is_some() {
        return Err(SettingsError::Fault("id".to_owned()));
    }
    let own = plan.trunk.as_ref().map(|(trunk, _)| TrunkId::new(&trunk.id));
    let known = app.trunks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if known.iter().any(|trunk| Some(trunk.table.id.get_ref()) == own.as_ref()) {
        return Err(StoreError::Taken("trunk").into());
    }
    let mut trunks = usable(&known, &app.store, &id).await?;
    trunks.extend(own.clone());
    let ground = Ground { name: plan.name.clone(), timezone: plan.timezone };
    let mut tenant =
        bare(&id, &ground, &trunks, &app.config.file).ok_or_else(|| SettingsError::Fault("name".to_owned()))?;
    if let Some(own) = own {
        // Its own line before those that others use too.
        tenant.core.callback.trunks = vec![own];
    }
    let settings = plan.settings.over(&Settings::of(&tenant)).sorted();
    settings::check_alone(&settings, &tenant.face, &app.config.file)?;
    settings::not_elsewhere(app, &id, &settings)?;
    settings.apply(1, &mut tenant);
    let people = seated(plan.people, &tenant);
    let founding = Founding {
        tenant: FoundedTenant { id: id.clone(), doc: serde_json::to_value(&ground).unwrap_or_default() },
        settings: serde_json::to_value(&settings).unwrap_or_default(),
        people: people.clone(),
        trunk: plan.trunk.as_ref().map(|trunk| kept(app, trunk)).transpose()?,
        who: who.to_owned(),
        at: app.now(),
    };
    app.store.found(founding).await?;
    if let Some((trunk, password)) = plan.trunk {
        put_up(app, &trunk, password);
    }
    open(app, tenant, people).await;
    Ok(id)
}

fn kept(app: &App, (plan, password): &(TrunkPlan, Option<String>)) -> Result<ConnectedTrunk, StoreError> {
    let doc = serde_json::to_value(plan).unwrap_or_default();
    let password = carriers::sealed(&app.config, &plan.id, password.clone())?;
    Ok(ConnectedTrunk { id: TrunkId::new(&plan.id), doc, password, retired: false })
}

/// Agents take what the tenant has.
fn seated(mut people: Vec<User>, tenant: &Tenant) -> Vec<User> {
    for person in &mut people {
        person.tenant = Some(tenant.core.id.clone());
        person.agent = crate::users::desk_of(person.id.as_str(), &person.name, person.role, Some(tenant));
    }
    people
}

async fn open(app: &App, tenant: Tenant, people: Vec<User>) {
    let id = tenant.core.id.clone();
    let agents = people.into_iter().filter_map(|person| person.agent).collect();
    if let Err(error) = app.engine.open_tenant(TenantSetup { config: tenant.core.clone(), agents }).await {
        tracing::error!(tenant = %id, %error, "a tenant is founded but could not be opened; it is after the next start");
        return;
    }
    app.engine.set_caller_id(&id, tenant.face.caller_id.clone());
    app.gate.set(&tenant);
    app.switchboard.set(&tenant);
    app.faces.set(id, tenant.face);
}

/// Connects a carrier that is kept, or kept again.
pub async fn connect(app: &App, who: &str, plan: TrunkPlan, password: Option<String>) -> Result<(), SettingsError> {
    let _turn = app.settings_turn.lock().await;
    let owner = plan.tenant.as_ref().map(TenantId::new);
    if owner.as_ref().is_some_and(|owner| app.faces.get(owner).is_none()) {
        return Err(SettingsError::Fault("tenant".to_owned()));
    }
    if app.engine.trunk_usage().iter().any(|(id, ..)| id.as_str() == plan.id) {
        return Err(SettingsError::Store(StoreError::Taken("trunk")));
    }
    app.store.connect_trunk(kept(app, &(plan.clone(), password.clone()))?, who, app.now()).await?;
    for tenant in app.faces.tenants().into_iter().filter(|tenant| plan.is_for(tenant)) {
        if let Some(face) = app.faces.get(&tenant) {
            let mut face = (*face).clone();
            face.trunks.push(TrunkId::new(&plan.id));
            app.faces.set(tenant, face);
        }
    }
    put_up(app, &plan, password);
    Ok(())
}

/// What was checked can always be read again.
fn put_up(app: &App, plan: &TrunkPlan, password: Option<String>) {
    let Some(trunk) = plan.trunk(password) else { return };
    let mut trunks = app.trunks.lock().unwrap_or_else(PoisonError::into_inner);
    trunks.push(trunk);
    app.engine.set_trunks(telephony::trunks(&trunks));
}

/// What a tenant still needs for its first call.
pub async fn missing(app: &App, tenant: &Tenant) -> Result<Vec<Missing>, StoreError> {
    let core = &tenant.core;
    let users = app.store.users(Some(&core.id)).await?;
    let mut users = users.iter().filter(|user| !user.disabled);
    let administrator = users.clone().any(|user| user.role == Role::Admin);
    let agent = users.any(|user| user.agent.as_ref().is_some_and(|agent| !agent.queues.is_empty()));
    let up: Vec<_> = app.engine.trunk_states().into_iter().filter(|trunk| trunk.up).map(|trunk| trunk.id).collect();
    let trunks = &core.callback.trunks;
    let portal = tenant.face.knows_portal();
    let calls = core.callback.enabled;
    let checks = [
        (Missing::Hours, core.hours.week.is_empty()),
        (Missing::Administrator, !administrator),
        (Missing::Agent, !agent),
        (Missing::Trunk, calls && trunks.is_empty()),
        (
            Missing::TrunkDown,
            calls && !trunks.is_empty() && !trunks.iter().any(|id| up.iter().any(|up| up == id.as_str())),
        ),
        (Missing::OptIn, !calls && !core.chat.enabled),
        (Missing::Portal, tenant.face.auth == AuthMode::Required && !portal),
    ];
    Ok(checks.into_iter().filter(|(_, missing)| *missing).map(|(what, _)| what).collect())
}
