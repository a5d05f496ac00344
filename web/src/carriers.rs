//! Carriers' connections that an operator changes, retires and brings back while the server runs, and how their passwords
//! are kept.

use std::{collections::BTreeSet, sync::PoisonError};

use ringback_routing::{
    ids::{TenantId, TrunkId},
    time::Timestamp,
};
use ringback_store::{ConnectedTrunk, Store, StoreError, TrunkChange};
use serde_json::Value;

use crate::{
    config::ServerConfig,
    counties::{self, TrunkPlan},
    seal::{self, Seal, SealError},
    settings::{Difference, SettingsError},
    state::App,
    telephony,
};

/// So many versions are told at once.
const VERSIONS: u32 = 100;
/// So many of those who still use a line are named.
const MOST_USERS: usize = 5;

/// A connection as it is now.
pub struct Line {
    pub plan: TrunkPlan,
    pub retired: bool,
    pub has_password: bool,
    /// The latest first; never empty.
    pub versions: Vec<LineVersion>,
}

pub struct LineVersion {
    pub version: u64,
    pub who: String,
    pub at: Timestamp,
    /// Against the version before.
    pub differences: Vec<Difference>,
}

/// What is to become of a connection.
pub struct Wanted {
    /// The version that was changed.
    pub base: u64,
    pub plan: TrunkPlan,
    pub retired: bool,
    /// None: the one that is there stays.
    pub password: Option<String>,
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        Self::Io(error.to_string().into())
    }
}

/// A password as the ledger keeps it.
pub fn sealed(config: &ServerConfig, trunk: &str, password: Option<String>) -> Result<Option<String>, StoreError> {
    let Some(password) = password else { return Ok(None) };
    Ok(Some(Seal::of(config)?.close(trunk, &password)?))
}

/// A password as the carrier is told it. What former versions kept plainly is sealed now; one that cannot be read is told
/// of, and the line goes without until it is set anew.
pub async fn opened(store: &Store, config: &ServerConfig, kept: &ConnectedTrunk) -> Result<Option<String>, StoreError> {
    let Some(password) = &kept.password else { return Ok(None) };
    let (seal, id) = (Seal::of(config)?, kept.id.as_str());
    if !seal::is_sealed(password) {
        store.reseal_trunk(&kept.id, &seal.close(id, password)?).await?;
        tracing::info!(trunk = id, "a password that was kept plainly is sealed now");
        return Ok(Some(password.clone()));
    }
    match seal.open(id, password) {
        Ok(password) => Ok(Some(password)),
        Err(error) => {
            tracing::error!(trunk = id, %error, "the line goes without its password until an operator sets it anew");
            Ok(None)
        }
    }
}

/// Every connection that an operator made, by id.
pub async fn lines(app: &App) -> Result<Vec<Line>, StoreError> {
    let mut lines = Vec::new();
    for kept in app.store.connected_trunks().await? {
        lines.push(line(app, kept).await?);
    }
    Ok(lines)
}

async fn line(app: &App, kept: ConnectedTrunk) -> Result<Line, StoreError> {
    let states = app.store.trunk_versions(&kept.id, VERSIONS).await?;
    let told = |doc: &Value, retired: bool| {
        let mut doc = doc.clone();
        doc["retired"] = Value::Bool(retired);
        doc
    };
    let versions = states.iter().enumerate().map(|(at, state)| LineVersion {
        version: state.version,
        who: state.who.clone(),
        at: state.at,
        differences: states
            .get(at + 1)
            .map(|before| differences(&told(&before.doc, before.retired), &told(&state.doc, state.retired)))
            .unwrap_or_default(),
    });
    Ok(Line {
        plan: counties::read(&kept.id, kept.doc)?,
        retired: kept.retired,
        has_password: kept.password.is_some(),
        versions: versions.collect(),
    })
}

fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let keys = |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let (old, new): (BTreeSet<String>, BTreeSet<String>) = (keys(before), keys(after));
    let differs = |name: &&String| before.get(name.as_str()) != after.get(name.as_str());
    let one = |name: &String| Difference {
        what: name.clone(),
        before: before.get(name).filter(|value| !value.is_null()).cloned(),
        after: after.get(name).filter(|value| !value.is_null()).cloned(),
    };
    old.union(&new).filter(differs).map(one).filter(|told| told.before != told.after).collect()
}

/// Keeps the connection otherwise and uses it so at once; calls that run are not touched.
pub async fn change(app: &App, who: &str, id: &str, wanted: Wanted) -> Result<Line, SettingsError> {
    let _turn = app.settings_turn.lock().await;
    let id = TrunkId::new(id);
    let known = app.store.connected_trunks().await?.into_iter().find(|kept| kept.id == id);
    let known = known.ok_or(SettingsError::NoSuchVersion)?;
    let owner = wanted.plan.tenant.as_ref().map(TenantId::new);
    if owner.as_ref().is_some_and(|owner| app.faces.get(owner).is_none()) {
        return Err(SettingsError::Fault("trunk.tenant".to_owned()));
    }
    let may = |tenant: &TenantId| !wanted.retired && wanted.plan.is_for(tenant);
    still_used(app, &id, may).await?;
    let change = TrunkChange {
        base: wanted.base,
        trunk: ConnectedTrunk {
            id: id.clone(),
            doc: serde_json::to_value(&wanted.plan).unwrap_or_default(),
            password: sealed(&app.config, id.as_str(), wanted.password)?,
            retired: wanted.retired,
        },
        who: who.to_owned(),
        at: app.now(),
    };
    let kept = ConnectedTrunk { password: change.trunk.password.clone().or(known.password), ..change.trunk.clone() };
    app.store.change_trunk(change).await.map_err(|error| match error {
        StoreError::Taken(_) => SettingsError::Outdated,
        other => other.into(),
    })?;
    for tenant in app.faces.tenants() {
        if let Some(face) = app.faces.get(&tenant) {
            let mut face = (*face).clone();
            face.trunks.retain(|known| *known != id);
            face.trunks.extend(may(&tenant).then(|| id.clone()));
            app.faces.set(tenant, face);
        }
    }
    let password = opened(&app.store, &app.config, &kept).await?;
    put_up(app, &id, wanted.plan.trunk(password).filter(|_| !wanted.retired));
    Ok(line(app, kept).await?)
}

/// The connection as a former version had it; the password stays the one that is there.
pub async fn bring_back(app: &App, who: &str, id: &str, base: u64, version: u64) -> Result<Line, SettingsError> {
    let states = app.store.trunk_versions(&TrunkId::new(id), VERSIONS).await?;
    let state = states.into_iter().find(|state| state.version == version).ok_or(SettingsError::NoSuchVersion)?;
    let plan = counties::read(&TrunkId::new(id), state.doc)?;
    change(app, who, id, Wanted { base, plan, retired: state.retired, password: None }).await
}

/// A line that a tenant calls over is not taken from it.
async fn still_used(app: &App, id: &TrunkId, may: impl Fn(&TenantId) -> bool) -> Result<(), SettingsError> {
    let mut by = Vec::new();
    for tenant in app.faces.tenants().into_iter().filter(|tenant| !may(tenant)) {
        let config = app.engine.config(&tenant).await?;
        if config.callback.trunks.contains(id) {
            by.push(config.name.clone());
        }
    }
    by.truncate(MOST_USERS);
    if by.is_empty() { Ok(()) } else { Err(SettingsError::InUse { field: "trunk".to_owned(), by }) }
}

fn put_up(app: &App, id: &TrunkId, trunk: Option<crate::config::Trunk>) {
    let mut trunks = app.trunks.lock().unwrap_or_else(PoisonError::into_inner);
    trunks.retain(|known| known.table.id.get_ref() != id);
    trunks.extend(trunk);
    app.engine.set_trunks(telephony::trunks(&trunks));
}
