//! Turns what SIP, media and recorder report into the core's events.

use std::sync::Arc;

use ringback_media::{Codec, LegKey, MediaEvent, MediaEvents};
use ringback_recorder::{RecorderEvent, RecorderEvents};
use ringback_routing::{
    contact::AttemptResult,
    event::Event,
    ids::{LegId, TenantId, TrunkId},
};
use ringback_signaling::{CallKey, FailureCause, SignalingEvent, TrunkState};
use tokio::sync::mpsc;

use crate::{
    alarms::Alarm,
    arrivals::{self, NOT_ACCEPTABLE, Ringing},
    digits::Way,
    legs::{DialogStage, Leg, LegKind},
    plant::Plant,
    quality, recordings, reroute,
    thirds::{self, Moment},
};

pub(crate) async fn signaling(plant: Arc<Plant>, mut events: mpsc::Receiver<SignalingEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            SignalingEvent::Provisional { key, status, sdp } => provisional(&plant, key, status, sdp).await,
            SignalingEvent::Dialog(dialog) => {
                let leg = LegId(dialog.key.0);
                let tenant = plant.books.legs().get(leg).map(|leg| leg.tenant.clone());
                if let Some(tenant) = tenant {
                    plant.dialogs.save(tenant, leg, dialog, plant.clock.now()).await;
                }
            }
            SignalingEvent::Answered { key, sdp } => answered(&plant, key, sdp).await,
            SignalingEvent::Failed { key, status, cause, .. } => {
                let (result, status) = told_of(&plant, key).unwrap_or((result_of(cause), status));
                if let Some(trunk) = trunk_of(&plant, LegId(key.0)) {
                    plant.trunk_tally.failed(&trunk, result, status);
                }
                if !reroute::placed_elsewhere(&plant, LegId(key.0), cause, status).await {
                    failed(&plant, key, result, status).await;
                }
            }
            SignalingEvent::Ended { key, .. } => ended(&plant, key).await,
            SignalingEvent::RemoteSdp { key, sdp } => remote_sdp(&plant, key, sdp).await,
            SignalingEvent::RemoteAnswer { key, sdp } => plant.media.apply_answer(LegKey(key.0), sdp),
            SignalingEvent::Dtmf { key, digit } => dtmf(&plant, LegKey(key.0), digit, Way::Signalling).await,
            SignalingEvent::Trunk(state) => {
                plant.books.channels().set_up(&TrunkId::new(&state.id), state.up);
                let states = plant.signaling.trunk_states();
                match states.iter().all(|trunk| !trunk.up) && !states.is_empty() {
                    true => plant.alarms.raise(Alarm::TrunksDown, causes(&states)),
                    false => plant.alarms.clear(Alarm::TrunksDown),
                }
            }
            SignalingEvent::Transfer { key, step } => thirds::carrier_says(&plant, key, step).await,
            SignalingEvent::Incoming { key, trunk, to_user, from_user, from_display, private, sdp, .. } => {
                let (called, caller, name) = (to_user, from_user, from_display);
                arrivals::rings(&plant, Ringing { key, trunk, called, caller, name, private, sdp }).await;
            }
        }
    }
}

/// Why no trunk is up, in one line.
fn causes(states: &[TrunkState]) -> String {
    let told = |state: &TrunkState| format!("{}: {}", state.id, state.cause.as_deref().unwrap_or("down"));
    states.iter().map(told).collect::<Vec<_>>().join("; ")
}

fn result_of(cause: FailureCause) -> AttemptResult {
    match cause {
        FailureCause::Busy => AttemptResult::Busy,
        FailureCause::NoAnswer => AttemptResult::NoAnswer,
        FailureCause::Rejected => AttemptResult::Rejected,
        FailureCause::Unreachable => AttemptResult::Unreachable,
        FailureCause::Failed => AttemptResult::Failed,
        FailureCause::Cancelled => AttemptResult::Cancelled,
    }
}

/// Moves a call on; None when the leg is not known or was further already.
fn advance(plant: &Plant, leg: LegId, to: DialogStage) -> Option<TenantId> {
    let mut book = plant.books.legs();
    let entry = book.get_mut(leg)?;
    let dialog = entry.kind.dialog_mut()?;
    let forward = matches!(
        (*dialog, to),
        (DialogStage::Calling, DialogStage::Ringing)
            | (DialogStage::Calling | DialogStage::Ringing | DialogStage::Arriving { .. }, DialogStage::Answered)
    );
    let tenant = forward.then(|| {
        *dialog = to;
        entry.tenant.clone()
    });
    book.take_unheard(leg);
    tenant
}

async fn provisional(plant: &Plant, key: CallKey, status: u16, sdp: Option<String>) {
    let leg = LegId(key.0);
    if let Some(sdp) = sdp {
        if !will_do(plant, key, sdp).await {
            return;
        }
        early_media(plant, leg, true);
    }
    if status < 180 {
        return;
    }
    if let Some(tenant) = advance(plant, leg, DialogStage::Ringing) {
        plant.tell(&tenant, Event::LegRinging { leg }).await;
    }
}

/// Before the answer the agent may hear what the carrier says ("the number you have dialled …"), muted; the answer
/// ends that, because the announcement comes first.
fn early_media(plant: &Plant, leg: LegId, on: bool) {
    let (customer, agent) = {
        let mut book = plant.books.legs();
        let Some(entry) = book.get_mut(leg) else { return };
        let LegKind::Customer { early, .. } = &mut entry.kind else { return };
        if *early == on {
            return;
        }
        *early = on;
        let (customer, tenant, contact) = (entry.media, entry.tenant.clone(), entry.contact);
        let Some(agent) = book.agent_media(&tenant, contact) else { return };
        (customer, agent)
    };
    plant.media.mute(agent, on);
    if on {
        plant.media.stop_play(agent);
        plant.media.bridge(customer, agent);
    } else {
        plant.media.unbridge(customer, agent);
    }
}

/// Takes the far side's description. False: nobody could be heard by it, or not as secretly as the trunk's terms demand. Such
/// a call is hung up before the core or anybody who listens takes it for answered; its end is told as a failure.
async fn will_do(plant: &Plant, key: CallKey, sdp: String) -> bool {
    let Err(why) = plant.media.take_answer(LegKey(key.0), sdp).await else { return true };
    let leg = LegId(key.0);
    {
        let mut book = plant.books.legs();
        let dialog = book.get_mut(leg).and_then(|leg| leg.kind.dialog_mut());
        let Some(dialog) = dialog.filter(|dialog| **dialog != DialogStage::Answered) else { return false };
        *dialog = DialogStage::Unfit;
        book.take_unheard(leg);
    }
    tracing::warn!(%leg, %why, "the far side's description of its sound will not do; the call is given up");
    plant.signaling.hang_up(key);
    false
}

/// The result and status of a call that was given up for its description.
fn told_of(plant: &Plant, key: CallKey) -> Option<(AttemptResult, Option<u16>)> {
    let mut book = plant.books.legs();
    let dialog = book.get_mut(LegId(key.0))?.kind.dialog_mut()?;
    (*dialog == DialogStage::Unfit).then_some((AttemptResult::Failed, Some(NOT_ACCEPTABLE)))
}

async fn answered(plant: &Arc<Plant>, key: CallKey, sdp: String) {
    let leg = LegId(key.0);
    let arrived = match plant.books.legs().get(leg).map(|leg| &leg.kind) {
        Some(LegKind::Customer { dialog: DialogStage::Arriving { offered }, .. }) => Some(*offered),
        _ => None,
    };
    early_media(plant, leg, false);
    // A caller's offer has been answered before; this is the same one again.
    if arrived != Some(true) && !will_do(plant, key, sdp).await {
        return;
    }
    if let Some(tenant) = advance(plant, leg, DialogStage::Answered) {
        if arrived.is_none() {
            plant.metrics.calls_answered.add(1);
        }
        if arrived.is_none()
            && let Some(trunk) = trunk_of(plant, leg)
        {
            plant.trunk_tally.answered(&trunk);
        }
        let outside = matches!(plant.books.legs().get(leg), Some(Leg { kind: LegKind::Outside { .. }, .. }));
        if outside {
            thirds::count(plant, &tenant, leg, Moment::Answered);
        }
        plant.tell(&tenant, Event::LegAnswered { leg }).await;
    }
}

async fn failed(plant: &Arc<Plant>, key: CallKey, result: AttemptResult, sip_status: Option<u16>) {
    let leg = LegId(key.0);
    if let Some(gone) = close_books(plant, leg).await {
        plant.metrics.calls_failed.add(1);
        plant.tell(&gone.tenant, Event::LegFailed { leg, result, sip_status }).await;
    }
}

async fn ended(plant: &Arc<Plant>, key: CallKey) {
    let leg = LegId(key.0);
    if let Some((result, status)) = told_of(plant, key) {
        if let Some(trunk) = trunk_of(plant, leg) {
            plant.trunk_tally.failed(&trunk, result, status);
        }
        return failed(plant, key, result, status).await;
    }
    let gone = close_books(plant, leg).await.map(|gone| gone.tenant);
    if let Some(tenant) = gone.or_else(|| arrivals::gave_up(plant, leg)) {
        plant.tell(&tenant, Event::LegEnded { leg }).await;
    }
}

fn trunk_of(plant: &Plant, leg: LegId) -> Option<TrunkId> {
    let (tenant, contact) = match plant.books.legs().get(leg)? {
        Leg { kind: LegKind::Outside { trunk, .. }, .. } => return Some(trunk.clone()),
        leg => (leg.tenant.clone(), leg.contact),
    };
    plant.books.channels().trunk_of(&tenant, contact)
}

/// The dialog is over: media, channel and stored dialog go with it.
async fn close_books(plant: &Arc<Plant>, leg: LegId) -> Option<Leg> {
    let gone = plant.books.legs().depart(leg);
    plant.media.close(LegKey(leg.0));
    let gone = gone?;
    plant.dialogs.remove(gone.tenant.clone(), leg, plant.clock.now()).await;
    match gone.kind {
        LegKind::Customer { owes_channel: true, .. } => plant.books.channels().release(&gone.tenant, gone.contact),
        LegKind::Outside { .. } => {
            plant.books.channels().depart(leg);
            thirds::count(plant, &gone.tenant, leg, Moment::Ended);
        }
        LegKind::Customer { .. } | LegKind::Agent { .. } => {}
    }
    Some(gone)
}

/// The far side changed its session (hold, address, codec): media answers, SIP carries it.
async fn remote_sdp(plant: &Plant, key: CallKey, sdp: String) {
    match plant.media.answer_rtp(LegKey(key.0), sdp).await {
        Ok(answer) => plant.signaling.accept_reinvite(key, answer),
        Err(error) => {
            tracing::warn!(leg = %LegId(key.0), %error, "the far side's new session is not acceptable; the old one stays");
            plant.signaling.reject(key, NOT_ACCEPTABLE);
        }
    }
}

async fn dtmf(plant: &Plant, key: LegKey, digit: char, way: Way) {
    let leg = LegId(key.0);
    let tenant = plant.books.legs().pressed(leg, digit, way);
    if let Some(tenant) = tenant {
        plant.tell(&tenant, Event::DtmfReceived { leg, digit }).await;
    }
}

pub(crate) async fn media(plant: Arc<Plant>, mut events: MediaEvents) {
    while let Some(event) = events.recv().await {
        match event {
            MediaEvent::Connected { leg } => phone_connected(&plant, leg, true).await,
            MediaEvent::Disconnected { leg, .. } => phone_connected(&plant, leg, false).await,
            MediaEvent::Failed { leg, why } => media_failed(&plant, leg, &why.to_string()).await,
            MediaEvent::Silent { leg } => media_failed(&plant, leg, "no audio arrives").await,
            MediaEvent::Dtmf { leg, digit } => dtmf(&plant, leg, digit, Way::Sound).await,
            MediaEvent::PromptFinished { token, .. } => {
                let waiting = plant.books.legs().prompt_ended(token);
                if let Some(told) = waiting {
                    plant.tell(&told.tenant, Event::PromptFinished { leg: told.leg, heard: Some(told.heard) }).await;
                }
            }
            MediaEvent::Suggested { leg, codec } => suggested(&plant, leg, codec),
            MediaEvent::Ended { leg, stats } => quality::media_ended(&plant, leg, stats),
            // After silence the phone is whole again; of a call it says nothing new.
            MediaEvent::Heard { leg } => phone_connected(&plant, leg, true).await,
        }
    }
}

/// An agent's page is told what to speak.
fn suggested(plant: &Plant, key: LegKey, codec: Codec) {
    let owner = {
        let mut phones = plant.books.phones();
        let owner = phones.owner_of(key);
        if let Some(phone) = owner.as_ref().and_then(|(tenant, agent)| phones.get_mut(tenant, agent)) {
            phone.codec = Some(codec);
        }
        owner
    };
    if let Some((tenant, agent)) = owner {
        plant.ring_desk(&tenant, &agent);
    }
}

async fn media_failed(plant: &Plant, key: LegKey, why: &str) {
    let owner = plant.books.phones().owner_of(key);
    if owner.is_some() {
        phone_connected(plant, key, false).await;
    } else if plant.books.legs().get(LegId(key.0)).is_some() {
        tracing::warn!(leg = %LegId(key.0), why, "the call's media failed; it is released");
        plant.signaling.hang_up(CallKey(key.0));
    }
}

async fn phone_connected(plant: &Plant, key: LegKey, connected: bool) {
    let found = {
        let mut phones = plant.books.phones();
        let owner = phones.owner_of(key);
        owner.and_then(|(tenant, agent)| {
            let phone = phones.get_mut(&tenant, &agent)?;
            let changed = phone.connected != connected;
            phone.connected = connected;
            changed.then(|| (tenant, agent, phone.session.clone()))
        })
    };
    let Some((tenant, agent, session)) = found else { return };
    if connected {
        plant.tell_health(&tenant, &agent).await;
    } else {
        plant.tell(&tenant, Event::AgentMediaLost { agent: agent.clone(), session }).await;
        plant.tell_health(&tenant, &agent).await;
    }
}

pub(crate) async fn recorder(plant: Arc<Plant>, mut events: RecorderEvents) {
    let (closed, filing) = mpsc::channel(recordings::WAITING);
    tokio::spawn(recordings::file(plant.clone(), filing));
    while let Some(event) = events.recv().await {
        match event {
            RecorderEvent::Finished { key, summary } => {
                let known = plant.books.legs().recording_of(key);
                if let Some((tenant, leg)) = known {
                    // Whoever files ends only after us.
                    let _ = closed.send(recordings::Closed { tenant, leg, summary }).await;
                }
            }
            RecorderEvent::Failed { key, why } => {
                plant.metrics.recordings_failed.add(1);
                plant.alarms.raise(Alarm::RecordingsRefused, why);
                plant.books.legs().recording_closed(key);
            }
            RecorderEvent::DiskLow { free_bytes } => {
                plant.alarms.raise(Alarm::DiskLow, format!("{} MiB free for recordings", free_bytes >> 20));
            }
            RecorderEvent::DiskFull { why } => plant.alarms.raise(Alarm::RecordingsRefused, why),
            RecorderEvent::DiskOk { .. } => {
                plant.alarms.clear(Alarm::DiskLow);
                plant.alarms.clear(Alarm::RecordingsRefused);
            }
        }
    }
}
