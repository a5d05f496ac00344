//! Numbers outside that agents bring in, and conferences.

use std::sync::Arc;

use ringback_media::{RoomKey, Voice};
use ringback_routing::{
    contact::AttemptResult,
    event::Event,
    ids::{ContactId, LegId, TenantId, TrunkId},
};
use ringback_signaling::{CallKey, TransferStep, UserToUser};

use crate::{
    gate::Verdict,
    hands::{Hands, Outgoing},
    legs::{DialogStage, LegKind},
    plant::Plant,
};

/// What a number outside learns of the contact.
pub(crate) struct Told {
    /// In the INVITE.
    pub context: String,
    /// In words, where the tenant wants that.
    pub code: String,
}

impl Hands {
    /// Through the gate like every call, over a channel of its own, with the context beside it.
    pub(crate) async fn place_third(&self, call: Outgoing, trunks: &[TrunkId], told: Told) {
        let leg = call.leg;
        match self.judged(call.contact, Some(&call.number), None).await {
            Verdict::Pass => {}
            Verdict::NotNow => return self.place_failed(leg, AttemptResult::Failed).await,
            Verdict::Never => return self.place_failed(leg, AttemptResult::NotAllowed).await,
        }
        let lent = self.plant.books.channels().lend(leg, trunks);
        let trunk = match lent {
            Ok(trunk) => trunk,
            Err(why) => {
                tracing::info!(%leg, ?why, "no channel for a number outside");
                return self.place_failed(leg, AttemptResult::Unreachable).await;
            }
        };
        // It uses up the tenant's day, so it is counted before it leaves.
        let (contact, now) = (call.contact, self.plant.clock.now());
        if let Err(error) = self.plant.store.outside_dialled(&self.tenant, leg, contact, &told.code, now).await {
            tracing::error!(%leg, %error, "a call to a number outside cannot be counted: it is not placed");
            self.plant.books.channels().depart(leg);
            return self.place_failed(leg, AttemptResult::Failed).await;
        }
        let kind = LegKind::Outside { dialog: DialogStage::Calling, trunk: trunk.clone() };
        if !self.dial(call, trunk, kind, user_to_user(&told.context)).await {
            self.plant.books.channels().depart(leg);
            count(&self.plant, &self.tenant, leg, Moment::Ended);
        }
    }

    /// Customer and number outside are alone with each other: where the carrier does so, it connects them itself and we are out
    /// of it. They are connected through us as long as it has not said that it has.
    pub(crate) fn leave_to_carrier(&self, a: LegId, b: LegId) {
        let found = {
            let book = self.plant.books.legs();
            [(a, b), (b, a)].into_iter().find_map(|(customer, outside)| {
                let (one, other) = (book.get(customer)?, book.get(outside)?);
                match (&one.kind, &other.kind) {
                    (LegKind::Customer { .. }, LegKind::Outside { trunk, .. }) => {
                        Some((customer, one.contact, outside, trunk.clone()))
                    }
                    _ => None,
                }
            })
        };
        let Some((customer, contact, outside, trunk)) = found else { return };
        let refers = {
            let channels = self.plant.books.channels();
            channels.trunk_of(&self.tenant, contact).is_some_and(|own| channels.refers(&own, &trunk))
        };
        if refers {
            self.plant.signaling.refer_to_call(CallKey(customer.0), CallKey(outside.0), None);
        }
    }

    pub(crate) fn confer(&self, contact: ContactId, legs: &[LegId]) {
        for key in self.unlinked(legs) {
            self.plant.media.join(RoomKey(contact.0), key, Voice::Everyone);
        }
        self.plant.metrics.bridges.add(1);
    }

    pub(crate) fn disperse(&self, legs: &[LegId]) {
        for key in self.unlinked(legs) {
            self.plant.media.leave(key);
        }
    }

    /// The media of these legs, which are bridged with nobody from here on.
    fn unlinked(&self, legs: &[LegId]) -> Vec<ringback_media::LegKey> {
        let mut book = self.plant.books.legs();
        let known = legs.iter().filter_map(|leg| {
            let leg = book.get_mut(*leg)?;
            leg.bridged = None;
            Some(leg.media)
        });
        known.collect()
    }
}

/// What the carrier says of a call that it was asked to connect itself.
pub(crate) async fn carrier_says(plant: &Plant, key: CallKey, step: TransferStep) {
    let leg = LegId(key.0);
    let status = match step {
        TransferStep::Taken | TransferStep::Progress(_) => return,
        TransferStep::Done(200..=299) => {
            tracing::info!(%leg, "the carrier has connected the two calls itself; ours end");
            plant.signaling.hang_up(key);
            return;
        }
        TransferStep::Done(status) | TransferStep::Refused(status) => Some(status),
        TransferStep::Lost => None,
    };
    tracing::warn!(%leg, ?step, "the carrier does not connect the two calls; they go on through us");
    let tenant = plant.books.legs().get(leg).map(|entry| entry.tenant.clone());
    if let Some(tenant) = tenant {
        plant.tell(&tenant, Event::CarrierDeclined { leg, status }).await;
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    Answered,
    Ended,
}

/// What a number outside uses up of its tenant's day, noted beside the call.
pub(crate) fn count(plant: &Arc<Plant>, tenant: &TenantId, leg: LegId, moment: Moment) {
    let (plant, tenant, at) = (plant.clone(), tenant.clone(), plant.clock.now());
    tokio::spawn(async move {
        let noted = match moment {
            Moment::Answered => plant.store.outside_answered(&tenant, leg, at).await,
            Moment::Ended => plant.store.outside_ended(&tenant, leg, at).await,
        };
        if let Err(error) = noted {
            tracing::warn!(%leg, %error, "the minutes of a number outside are counted wrongly");
        }
    });
}

/// The header that carries the context (RFC 7433), cut to what it holds.
fn user_to_user(context: &str) -> Vec<(String, String)> {
    const ROOM: usize = 128;
    let end = (0..=context.len().min(ROOM)).rev().find(|end| context.is_char_boundary(*end)).unwrap_or(0);
    let carried = UserToUser::new(&context.as_bytes()[..end]).ok();
    carried.map(|carried| (UserToUser::HEADER.to_owned(), carried.value())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_carried_as_far_as_there_is_room() {
        let [(name, value)] = &user_to_user("ct_1;subject=benefits")[..] else { panic!("one header") };
        assert_eq!(name, "User-to-User");
        assert_eq!(UserToUser::parse(value).unwrap().data, b"ct_1;subject=benefits");
        let long = "é".repeat(100);
        let [(_, value)] = &user_to_user(&long)[..] else { panic!("one header") };
        assert_eq!(UserToUser::parse(value).unwrap().data, "é".repeat(64).as_bytes());
    }
}
