//! Tells the cores which customers of chats came and went, each turn of it once and in order.

use std::{sync::Arc, time::Duration};

use ringback_routing::event::Event;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::room::Room;
use crate::plant::Plant;

/// How often it is looked who of those without a connection stopped asking.
const ROUND: Duration = Duration::from_millis(500);

pub(crate) async fn keep_door(plant: Arc<Plant>, mut comings: mpsc::UnboundedReceiver<Arc<Room>>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let rooms = tokio::select! {
            room = comings.recv() => match room {
                Some(room) => vec![room],
                None => return,
            },
            _ = rounds.tick() => {
                plant.chats.sweep();
                plant.chats.all()
            }
        };
        for room in rooms {
            if let Some(here) = room.turn_of_presence() {
                plant.tell(&room.tenant, presence(&room, here)).await;
            }
        }
    }
}

fn presence(room: &Room, here: bool) -> Event {
    match here {
        true => Event::ChatCustomerBack { contact: room.contact },
        false => Event::ChatCustomerGone { contact: room.contact },
    }
}

/// Says that somebody wrote. A core too busy to hear it will hear of the next message.
pub(super) fn tell_activity(plant: &Plant, room: &Room) {
    if let Some(door) = plant.doors.get(&room.tenant) {
        let _ = door.legs.try_send(Event::ChatActivity { contact: room.contact });
    }
}
