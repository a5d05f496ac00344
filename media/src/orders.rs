//! Commands carried out on a media thread. All are idempotent; an unknown leg is no error where the leg may
//! have ended on its own.

use std::time::Instant;

use mio::net::UdpSocket;

use crate::command::{Command, Opening, Renegotiated};
use crate::demux::Slot;
use crate::event::{LegKey, MediaError, MediaEvent};
use crate::frame::FrameSink;
use crate::latch::Latch;
use crate::leg::{Carrier, Forced, Hearing, Leg, Transport};
use crate::output::OutputStream;
use crate::player::Player;
use crate::sdp::{self, Remote};
use crate::stats::{LegStats, count};
use crate::thread::MediaThread;
use crate::webrtc_leg::WebrtcLeg;

impl MediaThread {
    pub(crate) fn execute(&mut self, now: Instant, command: Command) {
        if self.waiting.concerns(&command) {
            return self.postpone(command);
        }
        match command {
            Command::Expect { leg } => self.expect(leg),
            Command::Depart { leg, to } => self.depart(leg, to),
            Command::Arrive { leg, moved } => self.arrive(now, leg, moved),
            Command::Browser { leg, browser, output, reply } => {
                let _ = reply.send(self.open_browser(now, leg, browser, output));
            }
            Command::Renegotiate { leg, offer, reply } => {
                let _ = reply.send(self.renegotiate(now, leg, &offer));
            }
            Command::Carrier { leg, opening, reply } => {
                let _ = reply.send(self.open_carrier(now, leg, *opening));
            }
            Command::Reoffer { leg, remote, reply } => {
                let _ = reply.send(self.reoffer(now, leg, *remote));
            }
            Command::Answer { leg, remote, reply } => match (self.answered(now, leg, *remote), reply) {
                (taken, Some(reply)) => drop(reply.send(taken)),
                (Err(why), None) if why != MediaError::UnknownLeg => {
                    self.events.push(MediaEvent::Failed { leg, why });
                }
                (_, None) => {}
            },
            Command::Bridge { a, b } => self.bridge(now, a, b),
            Command::Unbridge { a, b } => self.unbridge(now, a, b),
            Command::Join { room, leg, voice } => self.join(now, room, leg, voice),
            Command::Leave { leg } => self.leave(now, leg),
            Command::LegStats { leg, reply } => {
                let _ = reply.send(self.leg(leg).map(|(_, leg)| stats_of(leg)));
            }
            Command::Close { leg } => self.close(leg),
            Command::Shutdown => {}
            other => self.on_leg(now, other),
        }
    }

    /// Commands that concern one leg and answer nothing.
    fn on_leg(&mut self, now: Instant, command: Command) {
        let limit = self.config.limits.dtmf_digits;
        let (Command::Echo { leg: key, .. }
        | Command::Play { leg: key, .. }
        | Command::StopPlay { leg: key }
        | Command::Mute { leg: key, .. }
        | Command::SendDtmf { leg: key, .. }
        | Command::Record { leg: key, .. }
        | Command::StopRecord { leg: key }
        | Command::Mark { leg: key, .. }) = &command
        else {
            return;
        };
        let Some((slot, leg)) = self.leg(*key) else { return };
        match command {
            Command::Echo { on, .. } => leg.echo = on,
            Command::Play { prompt, repeat, token, .. } => leg.player = Some(Player::new(prompt, repeat, token)),
            Command::StopPlay { .. } => leg.player = None,
            Command::Mute { on, .. } => leg.muted = on,
            Command::SendDtmf { digits, .. } => leg.dtmf_out.push(&digits, limit),
            Command::Record { sink, .. } => replace_sink(leg, Some(sink)),
            Command::StopRecord { .. } => replace_sink(leg, None),
            Command::Mark { name, begin, .. } => {
                if let Some(sink) = &mut leg.sink {
                    sink.mark(&name, begin, now);
                }
            }
            _ => {}
        }
        self.wake_tick(slot, now);
    }

    fn open_browser(
        &mut self,
        now: Instant,
        key: LegKey,
        browser: Box<WebrtcLeg>,
        output: OutputStream,
    ) -> Result<(), MediaError> {
        let (ufrag, password) = browser.credentials();
        let slot = match self.leg(key) {
            Some((slot, leg)) => {
                // A reloaded page is a new receiver: the stream starts anew, bridge and recording go on.
                leg.transport = Transport::Browser(browser);
                leg.output = output;
                leg.hearing = Hearing::Waiting { since: None };
                slot
            }
            None => {
                let leg = self.new_leg(now, key, Transport::Browser(browser), output);
                self.insert(leg).map_err(|_| MediaError::Exhausted)?
            }
        };
        self.demux.insert(slot, ufrag, password);
        self.reschedule(slot, now);
        Ok(())
    }

    fn renegotiate(&mut self, now: Instant, key: LegKey, offer: &str) -> Result<Renegotiated, MediaError> {
        let (slot, leg) = self.leg(key).ok_or(MediaError::UnknownLeg)?;
        let Transport::Browser(browser) = &mut leg.transport else { return Err(MediaError::UnknownLeg) };
        if !browser.is_same_peer(offer) {
            return Ok(Renegotiated::NotSamePeer);
        }
        let before = browser.credentials();
        let answer = browser.renegotiate(now, offer)?;
        let (ufrag, password) = browser.credentials();
        if (&ufrag, &password) != (&before.0, &before.1) {
            self.demux.insert(slot, ufrag, password);
        }
        self.reschedule(slot, now);
        Ok(Renegotiated::Answer(answer))
    }

    fn open_carrier(&mut self, now: Instant, key: LegKey, opening: Opening) -> Result<(), MediaError> {
        if self.slots.contains_key(&key) {
            return Err(MediaError::Exists);
        }
        let Opening { ports, origin, keys, codecs, remote } = opening;
        let mut carrier = Carrier {
            rtp: UdpSocket::from_std(ports.rtp),
            rtcp: UdpSocket::from_std(ports.rtcp),
            _lease: ports.lease,
            latch: Latch::new(self.config.limits.latch_window),
            origin,
            remote: None,
            keys,
            codecs,
            srtp: None,
        };
        let remote = match remote.map(|remote| *remote) {
            Some((remote, agreed)) => {
                carrier.encrypt(agreed)?;
                Some(remote)
            }
            None => None,
        };
        let output = OutputStream::new(random_seed());
        let leg = self.new_leg(now, key, Transport::Carrier(Box::new(carrier)), output);
        let slot = self.insert(leg).map_err(|_| MediaError::Exhausted)?;
        match remote {
            Some(remote) => self.apply_remote(now, key, remote),
            None => self.reschedule(slot, now),
        }
        Ok(())
    }

    fn reoffer(&mut self, now: Instant, key: LegKey, remote: Remote) -> Result<String, MediaError> {
        let (_, leg) = self.leg(key).ok_or(MediaError::UnknownLeg)?;
        let Transport::Carrier(carrier) = &mut leg.transport else { return Err(MediaError::UnknownLeg) };
        let remote = remote.within(&carrier.codecs)?;
        let agreed = carrier.keys.offered(&remote.encryption)?.cloned();
        carrier.origin.version += 1;
        let answer = sdp::answer(&carrier.origin, &remote, agreed.as_ref().map(|agreed| &agreed.ours));
        carrier.encrypt(agreed)?;
        self.apply_remote(now, key, remote);
        Ok(answer)
    }

    /// The far side's answer to our offer. When it is in none of the codecs offered, or encryption is not agreed as it must be,
    /// the leg stays as it was: deaf.
    fn answered(&mut self, now: Instant, key: LegKey, remote: Remote) -> Result<(), MediaError> {
        let (_, leg) = self.leg(key).ok_or(MediaError::UnknownLeg)?;
        let Transport::Carrier(carrier) = &mut leg.transport else { return Err(MediaError::UnknownLeg) };
        let remote = remote.within(&carrier.codecs)?;
        let agreed = carrier.keys.answered(&remote.encryption)?.cloned();
        carrier.encrypt(agreed)?;
        self.apply_remote(now, key, remote);
        Ok(())
    }

    fn apply_remote(&mut self, now: Instant, key: LegKey, remote: Remote) {
        let Some((slot, leg)) = self.leg(key) else { return };
        let Transport::Carrier(carrier) = &mut leg.transport else { return };
        if !remote.rtp.ip().is_unspecified() {
            carrier.latch.expect(now, remote.rtp);
        }
        carrier.remote = Some(remote);
        let peer = leg.peer;
        leg.hearing = match leg.hearing {
            Hearing::Waiting { since: None } => Hearing::Waiting { since: Some(now) },
            // After a hold the count starts again.
            Hearing::Heard { .. } => Hearing::Heard { last: now },
            other => other,
        };
        self.wake_tick(slot, now);
        if let Some(peer) = peer {
            self.suggest(peer, slot);
        }
    }

    /// A browser whose sound would have to be turned into another codec for the carrier it speaks to, and which knows that one, is
    /// asked to speak it.
    fn suggest(&mut self, browser: Slot, carrier: Slot) {
        let leg = |slot: Slot| self.legs.get(slot).and_then(Option::as_ref);
        let (Some(browser), Some(carrier)) = (leg(browser), leg(carrier)) else { return };
        let (Transport::Browser(_), Transport::Carrier(_)) = (&browser.transport, &carrier.transport) else { return };
        let (Some(speaks), Some(wanted)) = (browser.formats(), carrier.formats()) else { return };
        if speaks.codec != wanted.codec && speaks.payload_type(wanted.codec).is_some() {
            self.events.push(MediaEvent::Suggested { leg: browser.key, codec: wanted.codec });
        }
    }

    fn new_leg(&mut self, now: Instant, key: LegKey, transport: Transport, output: OutputStream) -> Box<Leg> {
        let origin = self.next_origin;
        self.next_origin += 1;
        Box::new(Leg::new(key, origin, transport, output, now + self.config.limits.rtcp_interval))
    }

    fn bridge(&mut self, now: Instant, a: LegKey, b: LegKey) {
        let (Some(&a_slot), Some(&b_slot)) = (self.slots.get(&a), self.slots.get(&b)) else { return };
        if a_slot == b_slot {
            return;
        }
        for key in [a, b] {
            self.leave(now, key);
        }
        for (slot, peer) in [(a_slot, b_slot), (b_slot, a_slot)] {
            let former = self.legs[slot].as_mut().and_then(|leg| leg.peer.replace(peer));
            if let Some(former) = former.filter(|former| *former != peer) {
                if let Some(leg) = self.legs[former].as_mut()
                    && leg.peer == Some(slot)
                {
                    leg.peer = None;
                }
                self.wake_tick(former, now);
            }
        }
        for (slot, peer) in [(a_slot, b_slot), (b_slot, a_slot)] {
            if let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) {
                leg.forced = Forced::default();
            }
            self.wake_tick(slot, now);
            self.suggest(slot, peer);
        }
    }

    fn unbridge(&mut self, now: Instant, a: LegKey, b: LegKey) {
        let (Some(&a_slot), Some(&b_slot)) = (self.slots.get(&a), self.slots.get(&b)) else { return };
        for (slot, peer) in [(a_slot, b_slot), (b_slot, a_slot)] {
            if let Some(leg) = self.legs[slot].as_mut()
                && leg.peer == Some(peer)
            {
                leg.peer = None;
                leg.output.release();
            }
            self.wake_tick(slot, now);
        }
    }

    pub(crate) fn close(&mut self, key: LegKey) {
        let Some(mut leg) = self.remove(key) else { return };
        replace_sink(&mut leg, None);
        count(&self.wire.totals.lost, leg.reception.lost());
        self.events.push(MediaEvent::Ended { leg: key, stats: stats_of(&leg) });
        if let Transport::Browser(browser) = &mut leg.transport {
            browser.close();
            self.wire.flush(browser);
        }
    }
}

fn replace_sink(leg: &mut Leg, sink: Option<Box<dyn FrameSink>>) {
    if let Some(mut former) = std::mem::replace(&mut leg.sink, sink) {
        former.finish();
    }
}

pub(crate) fn stats_of(leg: &Leg) -> LegStats {
    let (received, lost, jitter) = (leg.reception.received(), leg.reception.lost(), leg.reception.jitter_ms());
    let reported = leg.counters.reported;
    let round_trip_ms = leg.counters.round_trip.map(|trip| trip.as_secs_f32() * 1000.0);
    let remote_jitter_ms = reported.map_or(0.0, |reported| reported.jitter as f32 * 1000.0 / leg.output.clock() as f32);
    LegStats {
        packets_in: received,
        packets_out: leg.output.packets(),
        lost,
        jitter_ms: jitter,
        dropped_by_source: leg.counters.dropped_source,
        dropped_by_format: leg.counters.dropped_format,
        send_errors: leg.counters.send_errors,
        remote_lost: reported.map_or(0, |reported| reported.lost),
        remote_fraction_lost: reported.map_or(0, |reported| reported.fraction_lost),
        remote_jitter_ms,
        round_trip_ms,
        mos: None,
        remote_mos: None,
    }
    .judged(reported.is_some())
}

/// Random bits for SSRC and start values; they need to differ, not to be secret.
pub(crate) fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| Instant::now().elapsed().as_nanos() as u64 ^ 0x9e37_79b9_7f4a_7c15)
}
