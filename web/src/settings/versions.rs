//! Versions of a tenant's settings: kept, put into force as events of the running day, looked back on, brought back.

use ringback_routing::{
    config::Closure,
    event::Event,
    ids::{DispositionId, TenantId},
    time::Timestamp,
};
use ringback_store::{ConfigVersion, Store, StoreError, VersionNotice};

use super::{Around, Settings, json};
use crate::{
    config::{ConfigFile, Face, ServerConfig, Tenant},
    prompts,
    state::App,
    webhooks,
};

/// Who "made" the version that is the file's.
const THE_FILE: &str = "configuration file";
/// A closure is declared on top of whatever somebody else saves at that moment.
const CLOSURE_TRIES: usize = 5;
/// How long it takes until what is kept but was not taken by the core is offered to it again.
const APPLY_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
/// So many of those who still use something are named.
const MOST_USERS: usize = 5;

/// A version as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub version: u64,
    pub who: String,
    pub at: Timestamp,
    pub settings: Settings,
}

impl TryFrom<ConfigVersion> for Version {
    type Error = StoreError;
    fn try_from(kept: ConfigVersion) -> Result<Self, StoreError> {
        // The document may hold a person's words: the error names it and says no more.
        let unreadable = |_| StoreError::Corrupt { kind: "configuration", id: kept.version.to_string().into() };
        let settings = serde_json::from_value(kept.doc).map_err(unreadable)?;
        Ok(Self { version: kept.version, who: kept.who, at: kept.at, settings })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("somebody else has changed the settings meanwhile")]
    Outdated,
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("there is no such tenant")]
    NoSuchTenant,
    /// Names the setting.
    #[error("{0} cannot be kept")]
    Fault(String),
    /// Taken out although others refer to it.
    #[error("{field} is in use")]
    InUse { field: String, by: Vec<String> },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] ringback_engine::EngineError),
}

/// The configuration with what the ledger keeps of its tenants put into force; at the start of the server.
pub async fn in_force(store: &Store, mut config: ServerConfig) -> Result<ServerConfig, StoreError> {
    for tenant in &mut config.tenants {
        if let Some(kept) = store.tenant_config(&tenant.core.id).await? {
            let kept = Version::try_from(kept)?;
            kept.settings.apply(kept.version, tenant);
        }
    }
    Ok(config)
}

/// The version in force, whole; the file's own state is version 0 as long as nobody changed anything.
pub async fn current(app: &App, tenant: &TenantId) -> Result<Version, SettingsError> {
    let tenant_now = app.tenant(tenant).await.ok_or(SettingsError::NoSuchTenant)?;
    let now = Settings::of(&tenant_now).sorted();
    match app.store.tenant_config(tenant).await? {
        Some(kept) => {
            let kept = Version::try_from(kept)?;
            let settings = kept.settings.over(&now).within(&tenant_now.face.bounds);
            Ok(Version { settings, ..kept })
        }
        None => Ok(Version { version: 0, who: THE_FILE.to_owned(), at: app.now(), settings: now }),
    }
}

/// The latest versions, newest first.
pub async fn versions(app: &App, tenant: &TenantId, limit: u32) -> Result<Vec<Version>, SettingsError> {
    let kept = app.store.tenant_config_history(tenant, limit).await?;
    Ok(kept.into_iter().map(Version::try_from).collect::<Result<_, _>>()?)
}

/// Keeps `settings` as the version after `base` and puts them into force in the running core; parts that are left out stay
/// as they are. What is kept is in force at the latest after the next start, and before that as soon as the core takes it.
pub async fn change(
    app: &App,
    tenant: &TenantId,
    who: &str,
    base: u64,
    settings: Settings,
) -> Result<Version, SettingsError> {
    // One after the other, so that the core sees the versions in their order.
    let _turn = app.settings_turn.lock().await;
    let before = current(app, tenant).await?;
    if before.version != base && !only_closed_since(app, tenant, base, &before).await? {
        return Err(SettingsError::Outdated);
    }
    let settings = settings.over(&before.settings).sorted();
    check(app, tenant, &before.settings, &settings).await?;
    settle(app, tenant, who, before, settings, None).await
}

/// Whether nothing but the emergency closure is otherwise in `now` than in version `then`: whoever looked at that one has seen what is
/// in force, and need not look again because somebody closed or opened the office.
async fn only_closed_since(app: &App, tenant: &TenantId, then: u64, now: &Version) -> Result<bool, SettingsError> {
    let tenant_now = app.tenant(tenant).await.ok_or(SettingsError::NoSuchTenant)?;
    // What was the file's own state is kept as version 1 at the first change.
    let Some(kept) = app.store.tenant_config_version(tenant, then.max(1)).await? else { return Ok(false) };
    let kept = Version::try_from(kept)?;
    if then == 0 && kept.who != THE_FILE {
        return Ok(false);
    }
    let seen = kept.settings.over(&Settings::of(&tenant_now).sorted()).within(&tenant_now.face.bounds);
    let open = |settings: Settings| Settings { closure: None, ..settings };
    Ok(open(seen) == open(now.settings.clone()))
}

/// Keeps what was checked as the version after `before`, and puts it into force.
async fn settle(
    app: &App,
    tenant: &TenantId,
    who: &str,
    before: Version,
    settings: Settings,
    notice: Option<VersionNotice>,
) -> Result<Version, SettingsError> {
    let mut base = before.version;
    if base == 0 {
        base = keep(app, tenant, &before.who, 0, &before.settings, None).await?;
    }
    let version = keep(app, tenant, who, base, &settings, notice).await?;
    let now = Version { version, who: who.to_owned(), at: app.now(), settings };
    put_into_force(app, tenant, &now).await;
    Ok(now)
}

async fn check(app: &App, tenant: &TenantId, before: &Settings, settings: &Settings) -> Result<(), SettingsError> {
    let face = app.faces.get(tenant).ok_or(SettingsError::NoSuchTenant)?;
    check_alone(settings, &face, &app.config.file)?;
    for (at, prompt) in settings.prompts.iter().flatten().enumerate() {
        let known = before.prompts.iter().flatten().any(|known| known.sound == prompt.sound);
        if !known && app.store.sound(tenant, &prompt.sound).await?.is_none() {
            return Err(SettingsError::Fault(format!("prompts.{at}.sound")));
        }
    }
    if let Some(logo) = settings.look.as_ref().and_then(|look| look.logo.as_ref())
        && app.store.picture(tenant, logo).await?.is_none()
    {
        return Err(SettingsError::Fault("look.logo".to_owned()));
    }
    not_elsewhere(app, tenant, settings)?;
    in_use(app, tenant, before, settings).await
}

/// A number that customers call is one tenant's alone; whose it is nobody is told.
pub fn not_elsewhere(app: &App, tenant: &TenantId, settings: &Settings) -> Result<(), SettingsError> {
    let mut numbers = settings.numbers.iter().flatten().enumerate();
    match numbers.find(|(_, number)| app.switchboard.is_elsewhere(tenant, &number.number)) {
        Some((at, _)) => Err(SettingsError::Fault(format!("numbers.{at}.elsewhere"))),
        None => Ok(()),
    }
}

/// Whether whole settings can be kept by themselves, whatever others refer to.
pub fn check_alone(settings: &Settings, face: &Face, file: &ConfigFile) -> Result<(), SettingsError> {
    let reach = webhooks::named(file);
    let around = Around::of(settings, face, &reach, file.limits.targets);
    match settings.fault(&around) {
        Some(fault) => Err(SettingsError::Fault(fault)),
        None => Ok(()),
    }
}

/// What is taken out while somebody serves it, waits in it, was given it or stands recorded with it stays.
async fn in_use(app: &App, tenant: &TenantId, before: &Settings, after: &Settings) -> Result<(), SettingsError> {
    let gone = |list: fn(&Settings) -> Vec<String>| {
        let left = list(after);
        list(before).into_iter().filter(|id| !left.contains(id)).collect::<Vec<_>>()
    };
    let used = |list: &str, id: &str, by: Vec<String>| Err(SettingsError::InUse { field: format!("{list}.{id}"), by });
    let numbers = gone(|of| of.numbers.iter().flatten().map(|number| number.number.clone()).collect());
    if !numbers.is_empty() {
        let lent = app.store.numbers_lent(tenant, app.now()).await?;
        if let Some(number) = numbers.iter().find(|number| lent.contains(number)) {
            return used("numbers", number, Vec::new());
        }
    }
    for code in gone(|of| of.dispositions.iter().flatten().map(|code| code.id.clone()).collect()) {
        if app.store.is_disposition_used(tenant, &DispositionId::new(&code)).await? {
            return used("dispositions", &code, Vec::new());
        }
    }
    let queues = gone(|of| of.queues.iter().flatten().map(|queue| queue.id.clone()).collect());
    let subjects = gone(|of| of.subjects.iter().flatten().map(|subject| subject.id.clone()).collect());
    if queues.is_empty() && subjects.is_empty() {
        return Ok(());
    }
    let users = app.store.users(Some(tenant)).await?;
    for queue in &queues {
        let serving = users
            .iter()
            .filter(|user| !user.disabled)
            .filter(|user| user.agent.as_ref().is_some_and(|agent| agent.queues.iter().any(|id| id.as_str() == queue)));
        let names: Vec<_> = serving.map(|user| user.name.clone()).take(MOST_USERS).collect();
        if !names.is_empty() {
            return used("queues", queue, names);
        }
    }
    for contact in app.store.load_open(tenant).await?.0 {
        if queues.iter().any(|id| contact.queue.as_str() == id) {
            return used("queues", contact.queue.as_str(), Vec::new());
        }
        if subjects.iter().any(|id| contact.subject.as_str() == id) {
            return used("subjects", contact.subject.as_str(), Vec::new());
        }
    }
    Ok(())
}

async fn keep(
    app: &App,
    tenant: &TenantId,
    who: &str,
    after: u64,
    settings: &Settings,
    notice: Option<VersionNotice>,
) -> Result<u64, SettingsError> {
    let doc = json(settings);
    let kept = match notice {
        Some(notice) => app.store.save_tenant_config_noted(tenant, after, &doc, notice).await,
        None => app.store.save_tenant_config_after(tenant, after, &doc, who, app.now()).await,
    };
    match kept {
        Ok(version) => Ok(version),
        Err(StoreError::Taken(_)) => Err(SettingsError::Outdated),
        Err(error) => Err(error.into()),
    }
}

/// As an event of the running day. It is kept already, so that a core that takes nothing at the moment gets it later.
async fn put_into_force(app: &App, tenant: &TenantId, version: &Version) {
    if let Err(error) = submit(app, tenant, version).await {
        tracing::warn!(%tenant, %error, "settings are kept but not in force yet; they are tried again");
        tokio::spawn(try_again(app.clone(), tenant.clone()));
    }
}

async fn submit(app: &App, id: &TenantId, version: &Version) -> Result<(), SettingsError> {
    let mut tenant: Tenant = app.tenant(id).await.ok_or(SettingsError::NoSuchTenant)?;
    let (closed, before) = (tenant.core.hours.closure.is_some(), tenant.face.own_prompts.clone());
    version.settings.apply(version.version, &mut tenant);
    app.engine.submit(id, Event::TenantConfigured { config: Box::new(tenant.core.clone()) }).await?;
    // A configuration that names no closure lifts none.
    if closed && version.settings.closure.is_none() {
        app.engine.submit(id, Event::ClosureLifted).await?;
    }
    if before != tenant.face.own_prompts {
        app.engine.set_prompts(id, prompts::brought(&app.store, id, &tenant.face.own_prompts).await?);
    }
    app.engine.set_caller_id(id, tenant.face.caller_id.clone());
    app.gate.set(&tenant);
    app.switchboard.set(&tenant);
    app.faces.set(id.clone(), tenant.face);
    Ok(())
}

async fn try_again(app: App, tenant: TenantId) {
    let mut draining = app.draining.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(APPLY_AGAIN) => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let _turn = app.settings_turn.lock().await;
        let Ok(latest) = current(&app, &tenant).await else { continue };
        if submit(&app, &tenant, &latest).await.is_ok() {
            return;
        }
    }
}

/// The settings of `version` as a new version after `base`. A closure is no matter of undoing: it stays as it is.
pub async fn bring_back(
    app: &App,
    tenant: &TenantId,
    who: &str,
    base: u64,
    version: u64,
) -> Result<Version, SettingsError> {
    let wanted = app.store.tenant_config_version(tenant, version).await?.ok_or(SettingsError::NoSuchVersion)?;
    let wanted = Version::try_from(wanted)?;
    let closure = current(app, tenant).await?.settings.closure;
    let face = app.faces.get(tenant).ok_or(SettingsError::NoSuchTenant)?;
    change(app, tenant, who, base, Settings { closure, ..wanted.settings.within(&face.bounds) }).await
}

/// Declares or lifts the emergency closure, whatever else is being changed at the moment, and whatever the file or the
/// trunks have come to since the other settings were checked. The notice is kept with it or not at all.
pub async fn close(
    app: &App,
    tenant: &TenantId,
    closure: Option<Closure>,
    notice: VersionNotice,
) -> Result<(), SettingsError> {
    for _ in 1..CLOSURE_TRIES {
        let _turn = app.settings_turn.lock().await;
        let before = current(app, tenant).await?;
        let settings = Settings { closure: closure.clone(), ..before.settings.clone() };
        match settle(app, tenant, &notice.audit.who, before, settings, Some(notice.clone())).await {
            Err(SettingsError::Outdated) => {}
            done => return done.map(drop),
        }
    }
    Err(SettingsError::Outdated)
}
