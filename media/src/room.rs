//! Mixed mode: several legs in one room, each hears the others and never itself.
//!
//! Only here sound is decoded and kept for a moment: every 20 ms a room takes a frame from each member's jitter buffer, adds
//! up what each one may hear and sends it as the member's own stream. Recording is before that: each leg's sink gets the
//! packets as they come, as in a bridge.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::codec::Decoder;
use crate::demux::Slot;
use crate::event::{LegKey, MediaError, MediaEvent};
use crate::frame::Codec;
use crate::jitter_buffer::{JitterBuffer, Pulled};
use crate::leg::{Leg, TICK};
use crate::player::FRAME_SAMPLES;
use crate::rtp::RtpHeader;
use crate::stats::count;
use crate::thread::MediaThread;
use crate::wire::MAX_FRAME;

/// A mix later than this starts a new rhythm instead of catching up.
const MAX_LATENESS: Duration = Duration::from_millis(200);

/// Name of a room, chosen by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey(pub u128);

/// Who hears a member. What it hears itself does not depend on this: all whose voice reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Everybody else in the room: a conference, a supervisor who barges in.
    Everyone,
    /// Nobody: a supervisor who listens.
    Nobody,
    /// One member alone: a supervisor who whispers to the agent.
    Only(LegKey),
}

/// Rooms of one thread.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<RoomKey, Room>,
}

#[derive(Debug)]
struct Room {
    members: Vec<Member>,
    mix_at: Instant,
}

#[derive(Debug)]
struct Member {
    leg: LegKey,
    slot: Slot,
    voice: Voice,
    decoder: Decoder,
    /// What the last packet said; kept for its room in memory.
    decoded: Vec<i16>,
    buffer: JitterBuffer,
    frame: [i16; FRAME_SAMPLES],
}

impl Member {
    fn new(leg: LegKey, slot: Slot, voice: Voice) -> Self {
        let (decoder, decoded) = (Decoder::default(), Vec::new());
        Member { leg, slot, voice, decoder, decoded, buffer: JitterBuffer::new(), frame: [0; FRAME_SAMPLES] }
    }
}

impl Rooms {
    pub(crate) fn next_mix(&self) -> Option<Instant> {
        self.rooms.values().map(|room| room.mix_at).min()
    }

    fn member(&mut self, room: RoomKey, slot: Slot) -> Option<&mut Member> {
        self.rooms.get_mut(&room)?.members.iter_mut().find(|member| member.slot == slot)
    }

    /// The last one takes the room along.
    fn remove(&mut self, room: RoomKey, slot: Slot) {
        if let Some(found) = self.rooms.get_mut(&room) {
            found.members.retain(|member| member.slot != slot);
            if found.members.is_empty() {
                self.rooms.remove(&room);
            }
        }
    }
}

impl MediaThread {
    /// A leg comes into a room, or changes who hears it. A bridge of it ends.
    pub(crate) fn join(&mut self, now: Instant, room: RoomKey, key: LegKey, voice: Voice) {
        let limit = self.config.limits.room_legs.max(1);
        let Some((slot, leg)) = self.leg(key) else { return };
        let (former, peer) = (leg.room.replace(room), leg.peer.take());
        if let Some(peer) = peer {
            self.unlink(now, peer);
        }
        if let Some(member) = self.rooms.member(room, slot) {
            member.voice = voice;
            return;
        }
        if let Some(former) = former {
            self.rooms.remove(former, slot);
        }
        let found = self.rooms.rooms.entry(room).or_insert_with(|| Room { members: Vec::new(), mix_at: now });
        if found.members.len() >= limit {
            if let Some((_, leg)) = self.leg(key) {
                leg.room = None;
            }
            self.events.push(MediaEvent::Failed { leg: key, why: MediaError::Exhausted });
            return self.wake_tick(slot, now);
        }
        found.members.push(Member::new(key, slot, voice));
        self.wake_tick(slot, now);
    }

    /// The leg is alone again.
    pub(crate) fn leave(&mut self, now: Instant, key: LegKey) {
        let Some((slot, leg)) = self.leg(key) else { return };
        if let Some(room) = leg.room.take() {
            leg.output.release();
            self.rooms.remove(room, slot);
            self.wake_tick(slot, now);
        }
    }

    /// For a leg that was taken out of its slot.
    pub(crate) fn vacate(&mut self, leg: &mut Leg, slot: Slot) {
        if let Some(room) = leg.room.take() {
            self.rooms.remove(room, slot);
        }
    }

    /// A packet of a member, decoded into its jitter buffer.
    pub(crate) fn hear_in_room(&mut self, room: RoomKey, slot: Slot, codec: Codec, header: RtpHeader, payload: &[u8]) {
        let Some(member) = self.rooms.member(room, slot) else { return };
        member.decoded.clear();
        member.decoder.decode(codec, payload, &mut member.decoded);
        member.buffer.push(header.ssrc, header.timestamp, &member.decoded);
    }

    /// Mixes the rooms whose time has come.
    pub(crate) fn mix_rooms(&mut self, now: Instant) {
        let due: Vec<RoomKey> =
            self.rooms.rooms.iter().filter(|(_, room)| room.mix_at <= now).map(|(key, _)| *key).collect();
        for key in due {
            self.mix(now, key);
        }
    }

    fn mix(&mut self, now: Instant, key: RoomKey) {
        let Some(mut room) = self.rooms.rooms.remove(&key) else { return };
        let mut concealed = 0;
        for member in &mut room.members {
            if member.buffer.pull(&mut member.frame) == Pulled::Concealed {
                concealed += 1;
            }
        }
        count(&self.wire.totals.concealed_frames, concealed);
        count(&self.wire.totals.mixed_frames, room.members.len() as u64);
        for listener in &room.members {
            let Some(leg) = self.legs.get_mut(listener.slot).and_then(Option::as_mut) else { continue };
            let Some(formats) = leg.formats().filter(|_| leg.takes_forwarded()) else { continue };
            let mix = heard_by(listener.leg, &room.members);
            let mut frame = [0; MAX_FRAME];
            let length = leg.encoder.encode(formats.codec, &mix, &mut frame);
            self.wire.send_own(leg, now, formats, &frame[..length.min(MAX_FRAME)]);
        }
        let next = room.mix_at + TICK;
        room.mix_at = if now.saturating_duration_since(next) > MAX_LATENESS { now + TICK } else { next };
        self.rooms.rooms.insert(key, room);
    }
}

/// The sum of the voices that reach `listener`, kept within 16 bits.
fn heard_by(listener: LegKey, members: &[Member]) -> [i16; FRAME_SAMPLES] {
    let mut sum = [0i32; FRAME_SAMPLES];
    let audible = members.iter().filter(|member| {
        member.leg != listener
            && match member.voice {
                Voice::Everyone => true,
                Voice::Nobody => false,
                Voice::Only(ear) => ear == listener,
            }
    });
    for member in audible {
        for (sum, sample) in sum.iter_mut().zip(member.frame) {
            *sum += i32::from(sample);
        }
    }
    sum.map(|sample| sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(leg: u128, voice: Voice, level: i16) -> Member {
        Member { frame: [level; FRAME_SAMPLES], ..Member::new(LegKey(leg), leg as Slot, voice) }
    }

    #[test]
    fn each_hears_the_others_whose_voice_reaches_it() {
        let members = [
            member(1, Voice::Everyone, 1),
            member(2, Voice::Everyone, 10),
            member(3, Voice::Nobody, 100),
            member(4, Voice::Only(LegKey(2)), 1_000),
        ];
        let heard = [1, 2, 3, 4].map(|leg| heard_by(LegKey(leg), &members)[0]);
        assert_eq!(heard, [10, 1_001, 11, 11]);
    }

    #[test]
    fn loud_voices_together_do_not_wrap() {
        let members =
            [member(1, Voice::Everyone, 30_000), member(2, Voice::Everyone, 30_000), member(3, Voice::Nobody, 0)];
        assert_eq!(heard_by(LegKey(3), &members)[0], i16::MAX);
    }
}
