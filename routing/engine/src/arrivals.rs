//! Calls that come in, between the first ring and the core's word on them: whose number it is, whether there is room, and
//! the answer. The core hears of a call before the caller hears anything of us.

use std::sync::Arc;

use ringback_media::{LegKey, RtpTerms};
use ringback_routing::{
    contact::{AttemptResult, Customer},
    event::{CallArrival, Event, Visit},
    ids::{ContactId, LegId, TenantId, TrunkId},
    output::RefusalReason,
};
use ringback_signaling::CallKey;
use ringback_store::NumberLease;

use crate::{
    hands::Hands,
    legs::{Arriving, DialogStage, Leg, LegKind},
    plant::Plant,
};

/// No such number here; the same answer for everybody who asks for what is not there.
const NOT_FOUND: u16 = 404;
/// No room, or about to stop: the carrier may try elsewhere.
const NO_ROOM: u16 = 503;
/// No way to talk to each other.
pub(crate) const NOT_ACCEPTABLE: u16 = 488;

/// Who is called by whom, as far as the installation's configuration knows.
pub trait Reception: Send + Sync {
    /// The tenant and the configured form of a number that was called, as the carrier wrote it.
    fn whose(&self, called: &str) -> Option<(TenantId, String)>;
    /// What is known of the caller. `number` as the carrier wrote it; `private`: the caller wants it kept back.
    fn caller(&self, tenant: &TenantId, number: &str, name: Option<&str>, private: bool) -> Customer;
    /// Whether a number of ours is lent to visitors, one at a time.
    fn is_lent(&self, number: &str) -> bool;
    /// Whether the tenant may dial a caller's number.
    fn may_call(&self, tenant: &TenantId, number: &str) -> bool;
}

/// A call as the SIP endpoint tells it.
pub(crate) struct Ringing {
    pub key: CallKey,
    pub trunk: Option<String>,
    pub called: String,
    pub caller: String,
    pub name: Option<String>,
    pub private: bool,
    pub sdp: Option<String>,
}

pub(crate) async fn rings(plant: &Arc<Plant>, call: Ringing) {
    let leg = LegId(call.key.0);
    let trunk = call.trunk.map(TrunkId::new);
    let Some((trunk, (tenant, number))) = trunk.zip(plant.reception.whose(&call.called)) else {
        plant.signaling.reject(call.key, NOT_FOUND);
        return;
    };
    if !plant.books.channels().arrive(leg, &trunk) {
        plant.metrics.calls_refused.add(1);
        plant.signaling.reject(call.key, NO_ROOM);
        return;
    }
    plant.trunk_tally.came_in(&trunk);
    let customer = plant.reception.caller(&tenant, &call.caller, call.name.as_deref(), call.private);
    let callable = !customer.number.is_empty() && plant.reception.may_call(&tenant, &customer.number);
    plant.books.legs().arriving(leg, Arriving { tenant: tenant.clone(), sdp: call.sdp });
    let mut call = CallArrival { leg, trunk, number, customer, callable, visit: None };
    if !plant.reception.is_lent(&call.number) {
        plant.tell(&tenant, Event::CallArrived { call }).await;
        return;
    }
    // The ledger may take its time; other calls do not wait for it.
    let plant = plant.clone();
    tokio::spawn(async move {
        call.visit = visit(&plant, &tenant, call.number.clone(), String::new()).await;
        // Who has given up meanwhile is nobody's call.
        if plant.books.legs().is_arriving(leg) {
            plant.tell(&tenant, Event::CallArrived { call }).await;
        }
    });
}

/// The visit that a number, or a number and a code, was lent for.
async fn visit(plant: &Plant, tenant: &TenantId, number: String, code: String) -> Option<Visit> {
    match plant.store.take_lease(tenant, NumberLease { number, code }, plant.clock.now()).await {
        Ok(visit) => visit,
        Err(error) => {
            tracing::warn!(%tenant, %error, "a call cannot be matched with its visit");
            None
        }
    }
}

/// The caller gave up before the core had a word on it; the tenant who must hear so.
pub(crate) fn gave_up(plant: &Plant, leg: LegId) -> Option<TenantId> {
    let gone = plant.books.legs().take_arriving(leg)?;
    plant.books.channels().depart(leg);
    Some(gone.tenant)
}

impl Hands {
    /// Answers the call, unless the caller is gone already: that has been told.
    pub(crate) async fn answer(&self, leg: LegId, contact: ContactId, number_key: &str) {
        let key = LegKey(leg.0);
        let offer = {
            let mut book = self.plant.books.legs();
            let Some(arriving) = book.take_arriving(leg) else { return };
            let dialog = DialogStage::Arriving { offered: arriving.sdp.is_some() };
            let kind = LegKind::Customer { dialog, owes_channel: false, early: false };
            let entry = Leg { tenant: self.tenant.clone(), contact, kind, media: key, recording: None, bridged: None };
            book.insert(leg, entry);
            arriving.sdp
        };
        let terms = {
            let mut channels = self.plant.books.channels();
            channels.settle(leg, &self.tenant, contact, number_key);
            let trunk = channels.trunk_of(&self.tenant, contact);
            trunk.map_or_else(RtpTerms::default, |trunk| channels.sound(&trunk))
        };
        let opened = match offer {
            Some(offer) => self.plant.media.answer_rtp_on(key, offer, terms).await,
            None => self.plant.media.open_rtp_on(key, terms).await,
        };
        // Whoever hung up meanwhile found no sound to close.
        let stands = self.plant.books.legs().get(leg).is_some();
        match opened {
            Ok(sdp) if stands => {
                self.plant.metrics.calls_taken.add(1);
                self.plant.signaling.accept(CallKey(leg.0), sdp);
            }
            Ok(_) => self.plant.media.close(key),
            Err(_) if !stands => {}
            Err(error) => {
                tracing::warn!(%leg, %error, "a call that came in cannot be answered");
                self.plant.metrics.deeds_failed.add(1);
                self.plant.books.legs().remove(leg);
                self.plant.signaling.reject(CallKey(leg.0), NOT_ACCEPTABLE);
                let sip_status = Some(NOT_ACCEPTABLE);
                let event = Event::LegFailed { leg, result: AttemptResult::Failed, sip_status };
                self.plant.tell(&self.tenant, event).await;
            }
        }
    }

    pub(crate) async fn check_code(&self, leg: LegId, number: String, code: String) {
        let visit = visit(&self.plant, &self.tenant, number, code).await.map(Box::new);
        self.plant.tell(&self.tenant, Event::CodeChecked { leg, visit }).await;
    }

    pub(crate) fn refuse(&self, leg: LegId, why: RefusalReason) {
        if self.plant.books.legs().take_arriving(leg).is_none() {
            return;
        }
        self.plant.books.channels().depart(leg);
        self.plant.metrics.calls_refused.add(1);
        let status = match why {
            RefusalReason::NoSuchNumber => NOT_FOUND,
            RefusalReason::Full => NO_ROOM,
        };
        self.plant.signaling.reject(CallKey(leg.0), status);
    }
}
