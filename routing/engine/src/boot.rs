//! From nothing to a running engine, in the order that a crash before demands: repair what was being written, take
//! down what still rings, restore the cores, then open the doors.

use std::{collections::BTreeMap, sync::Arc};

use ringback_media::Media;
use ringback_recorder::{Recorder, repair::RepairOutcome};
use ringback_routing::{contact::AttemptState, ids::TrunkId, output::Command, time::Timestamp};
use ringback_signaling::{Signaling, StaleCall, StoredDialog};
use ringback_store::{RecordingRow, RecordingState, Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::{
    alarms::Alarms,
    channels::Channels,
    chat::{self, Chats},
    clock::Clock,
    config::{EngineConfig, EngineLimits, TenantSetup},
    desks::Desks,
    dialogs::DialogWriter,
    face::Engine,
    hands::Hands,
    listen,
    metrics::Metrics,
    names::SipNames,
    owner::{Boxes, Owner, OwnerSetup},
    plant::{Books, Door, Doors, Plant},
    recordings,
};

/// Why the engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the media ports cannot be opened: {0}")]
    Media(std::io::Error),
    #[error("the recordings folder cannot be used: {0}")]
    Recorder(std::io::Error),
    #[error("SIP cannot start: {0}")]
    Signaling(#[from] ringback_signaling::StartError),
    #[error("the ledger: {0}")]
    Store(#[from] StoreError),
}

/// One tenant's ends on the inside, until its owner and hands run.
struct Inside {
    setup: TenantSetup,
    boxes: Boxes,
    version: watch::Sender<u64>,
    desks: Arc<Desks>,
    deeds: (mpsc::Sender<Command>, mpsc::Receiver<Command>),
}

impl Engine {
    /// Starts everything on an open store. The tasks run until the process ends.
    pub async fn start(config: EngineConfig, store: Store) -> Result<Engine, StartError> {
        let clock = Clock::start();
        repair(&config, &store).await?;
        let (recorder, recorder_events) = Recorder::start(config.recorder).map_err(StartError::Recorder)?;
        let (media, media_events) = Media::start(config.media).map_err(StartError::Media)?;
        let (signaling, signaling_events) = Signaling::start(config.signaling).await?;
        // Down until SIP says otherwise: it knows of no state yet in its first moment.
        let trunks: Vec<TrunkId> = config.trunks.keys().cloned().collect();
        let mut channels = Channels::new(config.trunks);
        trunks.iter().for_each(|trunk| channels.set_up(trunk, false));
        for trunk in signaling.trunk_states() {
            channels.set_up(&TrunkId::new(&trunk.id), trunk.up);
        }
        let life = Life { node: &config.node, tenants: &config.tenants, limits: &config.limits, now: clock.now() };
        take_down_the_past(&store, &signaling, &mut channels, &life).await?;
        let doors = Doors::default();
        let mut insides = Vec::new();
        for setup in config.tenants {
            let (door, inside) = door(setup, &config.limits);
            doors.open(inside.setup.config.id.clone(), door);
            insides.push(inside);
        }
        let (chats, chat_tasks) = Chats::new(config.limits.waiting_chat_messages);
        let plant = Arc::new(Plant {
            dialogs: DialogWriter::start(store.clone(), config.node.clone(), config.limits.waiting_leg_events),
            books: Arc::new(Books::new(channels)),
            node: config.node,
            clock,
            store,
            signaling,
            media,
            recorder,
            recordings_root: config.recordings,
            prompts: std::sync::RwLock::new(config.prompts),
            gate: config.gate,
            caller_ids: std::sync::RwLock::new(config.caller_ids),
            reception: config.reception,
            limits: config.limits,
            alarms: Arc::new(Alarms::default()),
            metrics: Arc::new(Metrics::default()),
            doors,
            chats,
            trunk_tally: Default::default(),
        });
        chat::start(&plant, chat_tasks);
        tokio::spawn(listen::signaling(plant.clone(), signaling_events));
        tokio::spawn(listen::media(plant.clone(), media_events));
        tokio::spawn(listen::recorder(plant.clone(), recorder_events));
        for inside in insides {
            open_tenant(&plant, inside).await?;
        }
        Ok(Engine { plant })
    }

    /// Opens one more tenant while the others work; its door is there once its core is restored. One that is open stays as
    /// it is.
    pub async fn open_tenant(&self, setup: TenantSetup) -> Result<(), StartError> {
        let tenant = setup.config.id.clone();
        if self.plant.doors.get(&tenant).is_some() {
            return Ok(());
        }
        let (door, inside) = door(setup, &self.plant.limits);
        open_tenant(&self.plant, inside).await?;
        self.plant.doors.open(tenant, door);
        Ok(())
    }
}

fn door(setup: TenantSetup, limits: &EngineLimits) -> (Door, Inside) {
    let (pages_in, pages) = mpsc::channel(limits.waiting_events);
    let (legs_in, legs) = mpsc::channel(limits.waiting_leg_events);
    let (asks_in, asks) = mpsc::channel(limits.waiting_events);
    let version = watch::Sender::new(0);
    let desks = Arc::new(Desks::default());
    let (bell, watched) = (version.clone(), desks.clone());
    let door = Door { pages: pages_in, legs: legs_in, asks: asks_in, version: bell, desks: watched };
    let deeds = mpsc::channel(limits.waiting_deeds);
    (door, Inside { setup, boxes: Boxes { pages, legs, asks }, version, desks, deeds })
}

async fn open_tenant(plant: &Arc<Plant>, inside: Inside) -> Result<(), StartError> {
    let tenant = inside.setup.config.id.clone();
    let epoch = plant.store.acquire_lease(&tenant, &plant.node, plant.clock.now()).await?;
    plant.store.outside_all_ended(&tenant, plant.clock.now()).await?;
    plant.chats.own(&tenant, epoch);
    let setup = OwnerSetup {
        config: inside.setup.config,
        agents: inside.setup.agents,
        epoch,
        clock: plant.clock,
        store: plant.store.clone(),
        limits: plant.limits.clone(),
        alarms: plant.alarms.clone(),
        metrics: plant.metrics.clone(),
        books: plant.books.clone(),
    };
    let (deeds, inbox) = inside.deeds;
    let owner = Owner::open(setup, inside.boxes, deeds, inside.version, inside.desks).await?;
    tokio::spawn(owner.run());
    tokio::spawn(Hands { tenant, plant: plant.clone() }.run(inbox));
    Ok(())
}

/// Recordings that a crash left open become whole files with rows that say so.
async fn repair(config: &EngineConfig, store: &Store) -> Result<(), StartError> {
    let root = config.recordings.clone();
    let repaired = tokio::task::spawn_blocking(move || ringback_recorder::repair::repair(&root)).await;
    let mut by_path: BTreeMap<String, RepairOutcome> =
        repaired.unwrap_or_default().into_iter().map(|file| (file.path, file.outcome)).collect();
    for TenantSetup { config: tenant, .. } in &config.tenants {
        for mut row in store.unfinished_recordings(&tenant.id, &config.node).await? {
            let outcome = by_path.remove(&row.path);
            settle_unfinished(config, &mut row, outcome);
            tracing::info!(recording = %row.id, state = ?row.state, "a recording cut off by a crash is settled");
            store.save_recording(&tenant.id, &row).await?;
        }
    }
    for path in by_path.keys() {
        tracing::warn!(path, "a repaired recording has no row in the ledger; the file is kept");
    }
    Ok(())
}

fn settle_unfinished(config: &EngineConfig, row: &mut RecordingRow, outcome: Option<RepairOutcome>) {
    match outcome {
        Some(RepairOutcome::Repaired { summary, .. }) => recordings::settle(row, &summary, RecordingState::Repaired),
        // The file was closed, and the crash came before its row was.
        None => match ringback_recorder::repair::finished_summary(&config.recordings, &row.path) {
            Ok(summary) => recordings::settle(row, &summary, RecordingState::Finished),
            Err(error) => {
                tracing::error!(recording = %row.id, %error, "a recording that was begun has no file");
                row.state = RecordingState::Failed;
            }
        },
        Some(RepairOutcome::Empty | RepairOutcome::Damaged { .. }) => row.state = RecordingState::Failed,
    }
}

/// Ends what a former life of this node left standing, so that no number is in two dialogs: stored dialogs are
/// cancelled or ended, and calls that had not been heard of are watched for until their guard time is over.
async fn take_down_the_past(
    store: &Store,
    signaling: &Signaling,
    channels: &mut Channels,
    config: &Life<'_>,
) -> Result<(), StartError> {
    for TenantSetup { config: tenant, .. } in config.tenants {
        for row in store.dialogs(&tenant.id).await? {
            match serde_json::from_str::<StoredDialog>(&row.doc) {
                Ok(dialog) => signaling.terminate_stored(dialog),
                Err(error) => tracing::error!(leg = %row.leg, %error, "a stored dialog cannot be read"),
            }
            store.remove_dialog(&tenant.id, row.leg).await?;
        }
        for guard in store.number_guards(&tenant.id, config.now).await? {
            channels.block(&guard.number_key, guard.until);
        }
        let (contacts, _) = store.load_open(&tenant.id).await?;
        for contact in &contacts {
            for attempt in contact.attempts.iter().filter(|attempt| !attempt.is_inbound()) {
                let until = match attempt.state {
                    AttemptState::Dialling | AttemptState::Live => config.now + tenant.callback.guard_time,
                    AttemptState::Unknown { until } => until,
                    AttemptState::Ended { .. } => continue,
                };
                channels.block(&contact.customer.number_key, until);
                let names = SipNames::of(attempt.leg, config.node);
                signaling.watch_stale(StaleCall {
                    call_id: names.call_id,
                    from_tag: names.from_tag,
                    until: std::time::Instant::now() + config.limits.stale_call_watch,
                });
            }
        }
    }
    Ok(())
}

/// Who is starting, and when.
struct Life<'a> {
    node: &'a str,
    tenants: &'a [TenantSetup],
    limits: &'a EngineLimits,
    now: Timestamp,
}
