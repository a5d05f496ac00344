//! From a checked configuration to a running engine.

use std::{
    net::IpAddr,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ringback_engine::{
    Engine, EngineConfig, EngineLimits, PromptLibrary, StartError, TenantSetup,
    parts::{MediaConfig, RecorderConfig},
};
use ringback_routing::time::Timestamp;
use ringback_store::{Store, StoreConfig, StoreError};

use crate::{config::ServerConfig, prompts, state::Judges, telephony};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Config(String),
    #[error("the ledger cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] StartError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("prompts: {0}")]
    Prompts(String),
}

/// The wall clock, for the edges of the program only.
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Opens the ledger; its folder is made if need be.
pub async fn open_store(config: &ServerConfig) -> Result<Store, RunError> {
    make_folder(&config.file.server.data_dir)?;
    let log_room = u64::from(config.file.store.log_room_mb) << 20;
    Ok(Store::open(&config.store_url, StoreConfig { log_room, ..StoreConfig::default() }).await?)
}

pub(crate) fn make_folder(path: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(path).map_err(|error| RunError::Config(format!("{}: {error}", path.display())))
}

/// Starts telephony and routing on an open ledger.
pub async fn engine(
    config: &ServerConfig,
    store: Store,
    prompts: PromptLibrary,
    judges: &Judges,
    limits: EngineLimits,
) -> Result<Engine, RunError> {
    make_folder(&config.recordings_dir)?;
    let mut tenants = Vec::new();
    for tenant in &config.tenants {
        let users = store.users(Some(&tenant.core.id)).await?;
        let agents = users.into_iter().filter(|user| !user.disabled).filter_map(|user| user.agent).collect();
        tenants.push(TenantSetup { config: tenant.core.clone(), agents });
    }
    let engine = EngineConfig {
        node: config.file.server.node.clone(),
        recordings: config.recordings_dir.clone(),
        signaling: telephony::signaling(config)?,
        media: media(config)?,
        recorder: recorder(config),
        trunks: telephony::terms(config),
        caller_ids: config
            .tenants
            .iter()
            .filter_map(|tenant| Some((tenant.core.id.clone(), tenant.face.caller_id.clone()?)))
            .collect(),
        reception: judges.switchboard.clone(),
        tenants,
        prompts,
        gate: judges.gate.clone(),
        limits,
    };
    Ok(Engine::start(engine, store).await?)
}

/// The built-in prompts and every tenant's own.
pub fn library(config: &ServerConfig) -> Result<PromptLibrary, RunError> {
    let mut library = prompts::built_in().map_err(RunError::Prompts)?;
    for tenant in &config.tenants {
        if let Some(folder) = &tenant.face.prompts {
            prompts::add_own(&mut library, &tenant.core.id, folder, &tenant.face.languages)
                .map_err(RunError::Prompts)?;
        }
    }
    Ok(library)
}

fn media(config: &ServerConfig) -> Result<MediaConfig, RunError> {
    let media = &config.file.media;
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let advertised = match media.rtp_advertised {
        Some(address) => address,
        None if !media.rtp.is_unspecified() => media.rtp,
        None => own_address(config)?,
    };
    let browsers = if media.webrtc_advertised.is_empty() && media.webrtc.ip().is_unspecified() {
        vec![own_address(config)?]
    } else {
        media.webrtc_advertised.clone()
    };
    Ok(MediaConfig {
        webrtc_bind: media.webrtc,
        webrtc_advertised: browsers,
        rtp_bind: media.rtp,
        rtp_advertised: advertised,
        rtp_ports: config.rtp_ports.0..=config.rtp_ports.1,
        threads: if media.threads == 0 { processors() } else { media.threads },
        silence_timeout: seconds(media.silence_seconds),
        agent_silence_timeout: seconds(media.agent_silence_seconds),
        ..MediaConfig::default()
    })
}

/// The address this machine reaches the carrier from: what the system would send from, without sending anything.
fn own_address(config: &ServerConfig) -> Result<IpAddr, RunError> {
    let first =
        config.trunks.first().map_or(("192.0.2.1", 5060), |t| (t.table.host.as_str(), t.table.port.unwrap_or(5060)));
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    let found = socket.connect(first).and_then(|()| socket.local_addr());
    found.map(|address| address.ip()).map_err(|_| {
        RunError::Config(
            "media.rtp_advertised and media.webrtc_advertised: give the addresses peers can reach".to_owned(),
        )
    })
}

fn recorder(config: &ServerConfig) -> RecorderConfig {
    let table = &config.file.recorder;
    RecorderConfig {
        queue_frames: table.queue_frames,
        flush_every: Duration::from_millis(u64::from(table.flush_ms)),
        sync_every: seconds(table.sync_seconds),
        min_free_bytes: table.min_free_mib << 20,
        ..RecorderConfig::new(&config.recordings_dir)
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
