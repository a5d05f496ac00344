//! The way of a packet through a media thread: accepted, recorded, rebased, sent at once.

use std::net::SocketAddr;
use std::time::Instant;

use crate::demux::{Route, Slot};
use crate::dtmf::DtmfTick;
use crate::event::MediaEvent;
use crate::frame::{Codec, Frame};
use crate::latch::Verdict;
use crate::leg::{COMFORT_AFTER, Hearing, Leg, TICK, Transport};
use crate::output::CLOCK;
use crate::player::FRAME_SAMPLES;
use crate::rtcp;
use crate::rtp::{self, RtpHeader};
use crate::stats::count;
use crate::thread::MediaThread;
use crate::webrtc_leg::Change;
use crate::wire::{MAX_FRAME, MAX_PAYLOAD};

/// A tick later than this starts a new rhythm instead of catching up.
const MAX_LATENESS: std::time::Duration = std::time::Duration::from_millis(200);

/// What an accepted packet carries.
#[derive(Clone, Copy)]
enum Sound {
    Audio(Codec),
    Event,
}

impl MediaThread {
    /// A datagram on the browsers' port.
    pub(crate) fn browser_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let route = self.demux.route(from, datagram);
        let (Route::Stun { slot, .. } | Route::Dtls(slot) | Route::Media(slot)) = route else {
            count(&self.wire.totals.dropped_by_guard, 1);
            return;
        };
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let Transport::Browser(browser) = &mut leg.transport else { return };
        match route {
            Route::Stun { genuine, nominates, .. } => browser.receive_stun(now, from, datagram, genuine, nominates),
            Route::Dtls(_) => browser.receive_dtls(now, from, datagram),
            Route::Media(_) => {
                if rtp::is_rtcp(datagram) {
                    if let Some(brought) = browser.receive_reports(datagram) {
                        self.wire.keep_report(leg, now, brought);
                    }
                } else if let Some(plain) = browser.receive_media(datagram)
                    && let Some(view) = rtp::parse(&plain)
                {
                    self.accept(slot, now, view.header, view.payload);
                }
                return;
            }
            Route::Drop => return,
        }
        self.wire.flush(browser);
        self.browser_changes(slot, now);
    }

    /// Reports what changed on a browser's connection and puts its deadline on the timer.
    pub(crate) fn browser_changes(&mut self, slot: Slot, now: Instant) {
        let mut changes = [None; 4];
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let Transport::Browser(browser) = &mut leg.transport else { return };
        for change in &mut changes {
            *change = browser.poll_change(now);
        }
        if changes.contains(&Some(Change::Connected)) {
            leg.hearing = Hearing::Waiting { since: Some(now) };
        }
        let key = leg.key;
        for change in changes.into_iter().flatten() {
            self.events.push(match change {
                Change::Connected => MediaEvent::Connected { leg: key },
                Change::Gone(why) => MediaEvent::Disconnected { leg: key, why },
                Change::ConnectTimeout => {
                    MediaEvent::Failed { leg: key, why: crate::event::MediaError::ConnectTimeout }
                }
            });
        }
        self.reschedule(slot, now);
    }

    /// A datagram on a carrier's RTP port.
    pub(crate) fn carrier_datagram(&mut self, slot: Slot, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        if rtp::is_rtcp(datagram) {
            return self.carrier_report(slot, now, from, datagram);
        }
        let Transport::Carrier(carrier) = &mut leg.transport else { return };
        let opened;
        let datagram = match &mut carrier.srtp {
            None => datagram,
            // Strangers are not worth a decryption, nor a place in the library's table of sources.
            Some(_) if !carrier.latch.may_come_from(from) => {
                leg.counters.dropped_source += 1;
                count(&self.wire.totals.dropped_by_source, 1);
                return;
            }
            Some(srtp) => match srtp.unprotect(datagram) {
                Some(plain) => {
                    opened = plain;
                    &opened
                }
                None => {
                    leg.counters.dropped_format += 1;
                    count(&self.wire.totals.dropped_by_format, 1);
                    return;
                }
            },
        };
        let negotiated = rtp::parse(datagram).filter(|view| {
            carrier.remote.as_ref().is_some_and(|remote| {
                let payload_type = view.header.payload_type;
                remote.formats.codec_of(payload_type).is_some() || remote.formats.event == Some(payload_type)
            })
        });
        let Some(view) = negotiated else {
            leg.counters.dropped_format += 1;
            count(&self.wire.totals.dropped_by_format, 1);
            return;
        };
        if carrier.latch.judge(now, from, view.header.ssrc, view.header.sequence) == Verdict::Drop {
            leg.counters.dropped_source += 1;
            count(&self.wire.totals.dropped_by_source, 1);
            return;
        }
        self.accept(slot, now, view.header, view.payload);
    }

    /// RTCP of a carrier, from the host that its RTP comes from.
    pub(crate) fn carrier_report(&mut self, slot: Slot, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let Transport::Carrier(carrier) = &mut leg.transport else { return };
        if carrier.report_destination().is_none_or(|expected| expected.ip() != from.ip()) {
            count(&self.wire.totals.dropped_by_source, 1);
            return;
        }
        let ssrc = leg.output.ssrc();
        let brought = match &mut carrier.srtp {
            None => Some(rtcp::read(datagram, ssrc)),
            Some(srtp) => srtp.unprotect_reports(datagram).map(|plain| rtcp::read(&plain, ssrc)),
        };
        if let Some(brought) = brought {
            self.wire.keep_report(leg, now, brought);
        }
    }

    /// A packet from the right source: counted, recorded, passed on.
    fn accept(&mut self, slot: Slot, now: Instant, header: RtpHeader, payload: &[u8]) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let Some(formats) = leg.formats() else { return };
        let sound = match formats.codec_of(header.payload_type) {
            Some(codec) if !payload.is_empty() && payload.len() <= MAX_PAYLOAD => Sound::Audio(codec),
            None if formats.event == Some(header.payload_type) => Sound::Event,
            _ => {
                leg.counters.dropped_format += 1;
                count(&self.wire.totals.dropped_by_format, 1);
                return;
            }
        };
        count(&self.wire.totals.packets_in, 1);
        // Sound is counted, recorded and mixed by one clock; it passes by its own.
        let narrow = match sound {
            Sound::Audio(codec) => leg.narrowed.timestamp(codec, header.timestamp),
            Sound::Event => leg.narrowed.timestamp(formats.codec, header.timestamp),
        };
        let narrow = RtpHeader { timestamp: narrow, ..header };
        leg.reception.receive(now, &narrow);
        if !matches!(leg.hearing, Hearing::Heard { .. }) {
            self.events.push(MediaEvent::Heard { leg: leg.key });
        }
        let newly = !matches!(leg.hearing, Hearing::Heard { .. });
        leg.hearing = Hearing::Heard { last: now };
        let mut silence = [0u8; MAX_PAYLOAD];
        let payload = match sound {
            Sound::Audio(codec) => {
                let audible = if leg.muted {
                    let length = codec.hush(payload, &mut silence);
                    &silence[..length]
                } else {
                    payload
                };
                if let Some(sink) = &mut leg.sink {
                    sink.frame(Frame {
                        codec,
                        rtp_timestamp: narrow.timestamp,
                        sequence: header.sequence,
                        ssrc: header.ssrc,
                        arrived: now,
                        payload: audible,
                    });
                }
                audible
            }
            Sound::Event => {
                if let Some(digit) = leg.dtmf_in.receive(header.ssrc, header.timestamp, payload) {
                    self.events.push(MediaEvent::Dtmf { leg: leg.key, digit });
                }
                payload
            }
        };
        if let (Some(room), Sound::Audio(codec), false) = (leg.room, sound, leg.echo) {
            if newly {
                self.reschedule(slot, now);
            }
            return self.hear_in_room(room, slot, codec, narrow, payload);
        }
        let target = if leg.echo { Some(slot) } else { leg.peer };
        let (origin, muted_event) = (leg.origin, leg.muted && matches!(sound, Sound::Event));
        if newly {
            self.reschedule(slot, now);
        }
        if let Some(target) = target.filter(|_| !muted_event) {
            self.forward(target, now, origin, sound, (header, narrow), payload);
        }
    }

    /// Sends another leg's packet as the next one of the target's own stream. `narrow`: its header by the clock of 8 kHz.
    fn forward(
        &mut self,
        target: Slot,
        now: Instant,
        origin: u64,
        sound: Sound,
        (mut header, narrow): (RtpHeader, RtpHeader),
        payload: &[u8],
    ) {
        let Some(leg) = self.legs.get_mut(target).and_then(Option::as_mut) else { return };
        let Some(formats) = leg.formats().filter(|_| leg.takes_forwarded()) else { return };
        let (mut turned, mut forced_with) = ([0u8; MAX_PAYLOAD], None);
        let (payload_type, payload, samples) = match sound {
            Sound::Event => match formats.event {
                Some(event) => (event, payload, leg.output.clock() / 50),
                None => return,
            },
            Sound::Audio(codec) => {
                // A browser decodes whatever it listed; carriers get the one flavour that was agreed.
                let straight = match &leg.transport {
                    Transport::Browser(_) => formats.payload_type(codec),
                    Transport::Carrier(_) => formats.payload_type(codec).filter(|_| codec == formats.codec),
                };
                match straight {
                    Some(payload_type) => {
                        leg.output.count_by(codec.clock());
                        (payload_type, payload, codec.ticks(payload))
                    }
                    None => {
                        count(&self.wire.totals.transcoded_frames, 1);
                        forced_with = leg.peer.filter(|_| leg.forced.goes_on());
                        let codecs = (codec, formats.codec);
                        let length = leg.converter.convert(&mut leg.encoder, origin, codecs, payload, &mut turned);
                        let out = &turned[..length.min(MAX_PAYLOAD)];
                        if out.is_empty() {
                            return;
                        }
                        let clock = formats.codec.clock();
                        leg.output.count_by(clock);
                        header.timestamp = narrow.timestamp.wrapping_mul(clock / CLOCK);
                        (formats.own_type(), out, formats.codec.ticks(out))
                    }
                }
            }
        };
        if let Some(header) = leg.output.forward(now, origin, header, payload_type, samples, payload.len()) {
            self.wire.send(leg, header, payload);
        }
        // Both directions of a bridge are one call.
        let other = forced_with.and_then(|peer| self.legs.get(peer)?.as_ref());
        if other.is_some_and(|other| !other.forced.is_clear()) {
            count(&self.wire.totals.transcoded_calls, 1);
        }
    }

    /// The 20 ms tick of a leg that sends something of its own.
    pub(crate) fn tick(&mut self, slot: Slot, now: Instant) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let due = leg.tick_at.unwrap_or(now);
        let Some(formats) = leg.formats() else {
            // Not negotiated yet: a prompt waits for the far side's description, which starts the ticks again.
            leg.tick_at = None;
            return;
        };
        let (mut frame, mut sound) = ([0; MAX_FRAME], [0; FRAME_SAMPLES]);
        if leg.dtmf_out.is_active() {
            self.dtmf_tick(slot, now, formats.event);
        } else if let Some(player) = &mut leg.player {
            let token = player.token();
            if player.next_frame(&mut sound) {
                let length = leg.encoder.encode(formats.codec, &sound, &mut frame);
                self.wire.send_own(leg, now, formats, &frame[..length.min(MAX_FRAME)]);
            } else {
                leg.player = None;
                self.events.push(MediaEvent::PromptFinished { leg: leg.key, token });
            }
        } else if leg.comfort_due(now) {
            let length = match formats.codec.silence() {
                Some(_) => formats.codec.hush(&[0; FRAME_SAMPLES], &mut frame),
                None => formats.codec.hush(&[], &mut frame),
            };
            self.wire.send_own(leg, now, formats, &frame[..length.min(MAX_FRAME)]);
        }
        if let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) {
            leg.tick_at = next_tick(leg, due, now);
        }
    }

    fn dtmf_tick(&mut self, slot: Slot, now: Instant, event_type: Option<u8>) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let Some(event_type) = event_type else {
            leg.dtmf_out = Default::default();
            return;
        };
        let (header, event) = match leg.dtmf_out.tick() {
            DtmfTick::Begin(event) => (leg.output.begin_event(now, event_type, u32::from(event.duration)), event),
            DtmfTick::Continue(event) => (leg.output.continue_event(now, event_type, u32::from(event.duration)), event),
            DtmfTick::Pause | DtmfTick::Done => return,
        };
        self.wire.send(leg, header, &event.to_bytes());
    }
}

/// The next tick keeps the rhythm; a leg that is fed by another one is only looked after.
fn next_tick(leg: &Leg, due: Instant, now: Instant) -> Option<Instant> {
    if !leg.needs_tick() {
        return None;
    }
    let fed = leg.takes_forwarded() && leg.output.is_fed();
    if let Some(sent_at) = leg.output.sent_at().filter(|_| fed) {
        return Some((sent_at + COMFORT_AFTER).max(now + TICK));
    }
    let next = due + TICK;
    Some(if now.saturating_duration_since(next) > MAX_LATENESS { now + TICK } else { next })
}

const _: () = assert!(CLOCK as usize / 50 == FRAME_SAMPLES);
