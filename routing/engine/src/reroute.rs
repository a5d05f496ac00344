//! A call whose trunk cannot be reached is placed over the next one, as long as nothing has rung.

use std::time::{Duration, Instant};

use ringback_routing::{event::Event, ids::LegId};
use ringback_signaling::FailureCause;

use crate::{
    legs::{DialogStage, LegKind},
    names::SipNames,
    plant::Plant,
};

/// Less ringing than this is not worth another trunk.
const LEAST_RINGING: Duration = Duration::from_secs(5);

/// True when another trunk has the call now.
pub(crate) async fn placed_elsewhere(plant: &Plant, leg: LegId, cause: FailureCause, status: Option<u16>) -> bool {
    if !is_the_trunks_fault(cause, status) {
        return false;
    }
    let (unheard, tenant, contact) = {
        let mut book = plant.books.legs();
        let Some(unheard) = book.take_unheard(leg) else { return false };
        let Some(entry) = book.get(leg) else { return false };
        let calling = matches!(entry.kind, LegKind::Customer { dialog: DialogStage::Calling, owes_channel: false, .. });
        if !calling {
            return false;
        }
        (unheard, entry.tenant.clone(), entry.contact)
    };
    let left = unheard.ring_until.saturating_duration_since(Instant::now());
    if left < LEAST_RINGING {
        return false;
    }
    let Some(trunk) = plant.books.channels().move_on(&tenant, contact) else { return false };
    let mut request = unheard.request;
    tracing::info!(%leg, from = request.trunk, to = %trunk, "the trunk cannot be reached; the call goes over the next one");
    request.trunk = trunk.as_str().to_owned();
    request.ring_timeout = left;
    // Late answers are told apart by the branch; all else stays what a restart would look for.
    request.branch = SipNames::branch_over(leg, &request.trunk);
    plant.books.legs().placed(leg, request.clone(), unheard.ring_until);
    if let Err(error) = plant.signaling.place_call(request) {
        tracing::error!(%leg, %error, "the call could not be handed to the SIP endpoint");
        return false;
    }
    plant.trunk_tally.placed(&trunk);
    plant.tell(&tenant, Event::LegRerouted { leg, trunk }).await;
    true
}

/// No answer at all, or one that says that the carrier itself cannot.
fn is_the_trunks_fault(cause: FailureCause, status: Option<u16>) -> bool {
    matches!((cause, status), (FailureCause::Unreachable, None) | (_, Some(408 | 503 | 504)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trunk_is_blamed_for_what_is_its_fault() {
        for (cause, status, blamed) in [
            (FailureCause::Unreachable, None, true),
            (FailureCause::NoAnswer, Some(408), true),
            (FailureCause::Unreachable, Some(503), true),
            (FailureCause::Unreachable, Some(404), false),
            (FailureCause::Busy, Some(486), false),
            (FailureCause::NoAnswer, None, false),
            (FailureCause::Cancelled, None, false),
            (FailureCause::Failed, Some(500), false),
        ] {
            assert_eq!(is_the_trunks_fault(cause, status), blamed, "{cause:?} {status:?}");
        }
    }
}
