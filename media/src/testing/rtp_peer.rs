//! A carrier's media end.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use super::Received;
use crate::frame::Codec;
use crate::rtp::{self, RtpHeader};
use crate::sdes::{Agreed, Encryption, Keys};
use crate::sdp;
use crate::srtp::Srtp;

/// One RTP endpoint that sends what it is told and keeps what it receives.
#[derive(Debug)]
pub struct RtpPeer {
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    header: RtpHeader,
    codec: Codec,
    seal: Box<Seal>,
}

/// Encryption, by the same rules as the server's.
#[derive(Debug, Default)]
struct Seal {
    keys: Keys,
    srtp: Option<Srtp>,
    /// The description's profile is RTP/SAVP.
    demands: bool,
    /// The description's key lines.
    lines: Vec<String>,
}

impl RtpPeer {
    /// Binds a port of the system's choice.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(address: IpAddr, codec: Codec) -> io::Result<RtpPeer> {
        let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let header = RtpHeader {
            marker: false,
            payload_type: codec.payload_type(),
            sequence: port,
            timestamp: u32::from(port) << 8,
            ssrc: 0x5250_0000 | u32::from(port),
        };
        Ok(RtpPeer { socket, remote: None, header, codec, seal: Box::default() })
    }

    /// Encrypts by this policy; to be said before the first description.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn encrypt(&mut self, policy: Encryption) -> io::Result<()> {
        let mut keys = Keys::new(policy);
        let lines = keys.offer().map_err(io::Error::other)?.iter().map(crate::sdes::Crypto::line).collect();
        *self.seal = Seal { keys, srtp: None, demands: policy == Encryption::Required, lines };
        Ok(())
    }

    pub fn is_encrypted(&self) -> bool {
        self.seal.srtp.is_some()
    }

    /// For registration with an event loop.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// Reads the server's description and gives the peer's own: one codec and telephone-event 101.
    /// Serves as answer to an offer; as an offer pass the later answer to [`RtpPeer::set_remote`].
    pub fn answer(&mut self, offer: &str) -> String {
        if let Ok(remote) = sdp::parse(offer, usize::MAX) {
            self.remote = Some(remote.rtp);
            let agreed = self.seal.keys.offered(&remote.encryption).ok().flatten().cloned();
            self.seal.lines = agreed.iter().map(|agreed| agreed.ours.line()).collect();
            self.seal.demands = remote.encryption.demanded;
            self.key(agreed);
        }
        self.description()
    }

    /// The server's description: where to send, and its keys when it answers ours.
    pub fn set_remote(&mut self, description: &str) {
        let remote = sdp::parse(description, usize::MAX).ok();
        let agreed =
            remote.as_ref().and_then(|remote| self.seal.keys.answered(&remote.encryption).ok().flatten().cloned());
        self.key(agreed);
        self.remote = remote.map(|remote| remote.rtp);
    }

    fn key(&mut self, agreed: Option<Agreed>) {
        self.seal.srtp = agreed.and_then(|agreed| Srtp::new(&agreed));
    }

    /// Where packets go.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Sends to an address that no description named.
    pub fn set_remote_address(&mut self, address: SocketAddr) {
        self.remote = Some(address);
    }

    /// The peer's description.
    pub fn description(&self) -> String {
        let address = self.socket.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        let family = if address.is_ipv6() { "IP6" } else { "IP4" };
        let (ip, port, codec) = (address.ip(), address.port(), self.codec);
        let profile = if self.seal.demands { "RTP/SAVP" } else { "RTP/AVP" };
        let mut keys = String::new();
        for line in &self.seal.lines {
            keys.push_str(line);
            keys.push_str("\r\n");
        }
        format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} {profile} {pt} 101\r\n\
             {keys}a=rtpmap:{pt} {encoding}\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
            pt = codec.payload_type(),
            encoding = codec.encoding()
        )
    }

    /// Sends one audio packet; the next one follows it in sequence and time.
    ///
    /// # Errors
    /// When there is no remote address or the system refuses.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let header = self.header;
        self.header.sequence = header.sequence.wrapping_add(1);
        self.header.timestamp = header.timestamp.wrapping_add(self.codec.ticks(payload));
        self.send_raw(header.marker, header.payload_type, header.sequence, header.timestamp, payload)
    }

    /// A packet of 20 ms that gets lost: the next one leaves a gap in sequence and time.
    pub fn skip(&mut self) {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.codec.clock() / 50);
    }

    /// Sends one telephone-event packet (RFC 4733) at the current timestamp; `end` moves the timestamp on by `duration`
    /// only when `last` is set.
    ///
    /// # Errors
    /// As [`RtpPeer::send`].
    pub fn send_event(&mut self, code: u8, duration: u16, end: bool, last: bool) -> io::Result<()> {
        let header = self.header;
        self.header.sequence = header.sequence.wrapping_add(1);
        if last {
            self.header.timestamp = header.timestamp.wrapping_add(u32::from(duration));
        }
        let payload = crate::dtmf::Event { code, end, duration }.to_bytes();
        self.send_raw(duration == 160, 101, header.sequence, header.timestamp, &payload)
    }

    /// Sends a packet with every field given.
    ///
    /// # Errors
    /// As [`RtpPeer::send`].
    pub fn send_raw(
        &mut self,
        marker: bool,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let remote = self.remote.ok_or(io::ErrorKind::NotConnected)?;
        let header = RtpHeader { marker, payload_type, sequence, timestamp, ssrc: self.header.ssrc };
        let mut datagram = header.to_bytes().to_vec();
        datagram.extend_from_slice(payload);
        if let Some(srtp) = &mut self.seal.srtp {
            datagram = srtp.protect(&datagram).ok_or(io::ErrorKind::InvalidData)?.to_vec();
        }
        self.socket.send_to(&datagram, remote).map(drop)
    }

    /// Reads everything that has arrived.
    pub fn receive(&mut self, packets: &mut Vec<Received>) {
        let mut buffer = [0u8; 2048];
        while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
            let at = Instant::now();
            if rtp::is_rtcp(&buffer[..length]) {
                continue;
            }
            let opened;
            let datagram = match &mut self.seal.srtp {
                None => &buffer[..length],
                Some(srtp) => match srtp.unprotect(&buffer[..length]) {
                    Some(plain) => {
                        opened = plain;
                        &opened
                    }
                    None => continue,
                },
            };
            if let Some(view) = rtp::parse(datagram) {
                packets.push(Received {
                    at,
                    marker: view.header.marker,
                    payload_type: view.header.payload_type,
                    sequence: view.header.sequence,
                    timestamp: view.header.timestamp,
                    ssrc: view.header.ssrc,
                    payload: view.payload.to_vec(),
                });
            }
        }
    }
}
