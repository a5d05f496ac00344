//! Putting packets on the wire, whatever the leg's transport is.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use mio::net::UdpSocket;

use crate::leg::{Leg, Transport};
use crate::output::CLOCK;
use crate::receive::ReportBlock;
use crate::rtcp::{self, Brought, Sent};
use crate::rtp::{HEADER, RtpHeader};
use crate::sdp::Formats;
use crate::stats::{Totals, count};
use crate::webrtc_leg::{Transmit, WebrtcLeg};

/// Longest payload that is sent: 160 ms of G.711; beyond it lies no sensible packet.
pub(crate) const MAX_PAYLOAD: usize = 1280;

/// Longest frame of 20 ms that is made here, in any codec.
pub(crate) const MAX_FRAME: usize = 400;

/// The thread's shared socket and counters.
pub(crate) struct Wire {
    pub(crate) browsers: UdpSocket,
    pub(crate) totals: Arc<Totals>,
    /// Wall clock for sender reports: a pair read together at the start.
    pub(crate) epoch: (Instant, SystemTime),
}

impl Wire {
    /// Sends one RTP packet to the leg's party. Failures are counted: sound is never sent twice.
    pub(crate) fn send(&self, leg: &mut Leg, header: RtpHeader, payload: &[u8]) {
        let sent = match &mut leg.transport {
            Transport::Browser(browser) => {
                browser.protect(header, payload).map(|transmit| self.send_to_browser(&transmit))
            }
            Transport::Carrier(carrier) => carrier.destination().map(|to| {
                let mut datagram = [0u8; HEADER + MAX_PAYLOAD];
                let length = HEADER + payload.len().min(MAX_PAYLOAD);
                datagram[..HEADER].copy_from_slice(&header.to_bytes());
                datagram[HEADER..length].copy_from_slice(&payload[..length - HEADER]);
                let plain = &datagram[..length];
                match &mut carrier.srtp {
                    None => carrier.rtp.send_to(plain, to).map(drop),
                    Some(srtp) => {
                        let sealed = srtp.protect(plain).ok_or(io::ErrorKind::InvalidData)?;
                        carrier.rtp.send_to(&sealed, to).map(drop)
                    }
                }
            }),
        };
        match sent {
            Some(Ok(())) => count(&self.totals.packets_out, 1),
            Some(Err(_)) => {
                leg.counters.send_errors += 1;
                count(&self.totals.send_errors, 1);
            }
            None => {}
        }
    }

    /// Sends 20 ms that were made here; nothing when nothing could be made.
    pub(crate) fn send_own(&self, leg: &mut Leg, now: Instant, formats: Formats, frame: &[u8]) {
        if !frame.is_empty() {
            let clock = formats.codec.clock();
            leg.output.count_by(clock);
            let header = leg.output.local(now, formats.own_type(), clock / 50, frame.len());
            self.send(leg, header, frame);
        }
    }

    /// Sends what the browser's connection wants sent: ICE and DTLS.
    pub(crate) fn flush(&self, browser: &mut WebrtcLeg) {
        while let Some(transmit) = browser.poll_transmit() {
            if self.send_to_browser(&transmit).is_err() {
                count(&self.totals.send_errors, 1);
            }
        }
    }

    /// Keeps what a far side's RTCP says.
    pub(crate) fn keep_report(&self, leg: &mut Leg, now: Instant, brought: Brought) {
        if let Some(sent) = brought.sent {
            leg.counters.sender_report = Some((sent, now));
        }
        if let Some(reported) = brought.about_us {
            let wall = self.epoch.1 + now.saturating_duration_since(self.epoch.0);
            leg.counters.round_trip = rtcp::round_trip(rtcp::middle(wall), reported).or(leg.counters.round_trip);
            leg.counters.reported = Some(reported);
        }
    }

    /// Sends an RTCP report when there is something to report.
    pub(crate) fn report(&self, leg: &mut Leg, now: Instant) {
        // Jitter is told by the clock of what is received (RFC 3550 §6.4.1), and counted by that of 8 kHz.
        let ratio = leg.formats().map_or(1, |formats| formats.codec.clock() / CLOCK);
        let block =
            leg.reception.report().map(|block| ReportBlock { jitter: block.jitter.saturating_mul(ratio), ..block });
        let sent = (leg.output.packets() > 0).then(|| Sent {
            wall: self.epoch.1 + now.saturating_duration_since(self.epoch.0),
            timestamp: leg.output.timestamp_at(now),
            packets: leg.output.packets(),
            octets: leg.output.octets(),
        });
        if sent.is_none() && block.is_none() {
            return;
        }
        let heard = rtcp::Heard::of(leg.counters.sender_report, now);
        let compound = rtcp::compound(leg.output.ssrc(), sent, block, heard);
        match &mut leg.transport {
            Transport::Browser(browser) => {
                if let Some(transmit) = browser.protect_reports(&compound) {
                    let _ = self.send_to_browser(&transmit);
                }
            }
            Transport::Carrier(carrier) => {
                let Some(to) = carrier.report_destination() else { return };
                let _ = match &mut carrier.srtp {
                    None => carrier.rtcp.send_to(&compound, to).map(drop),
                    Some(srtp) => match srtp.protect_reports(&compound) {
                        Some(sealed) => carrier.rtcp.send_to(&sealed, to).map(drop),
                        None => Ok(()),
                    },
                };
            }
        }
    }

    fn send_to_browser(&self, transmit: &Transmit) -> io::Result<()> {
        self.browsers.send_to(&transmit.bytes, transmit.to).map(drop)
    }
}
