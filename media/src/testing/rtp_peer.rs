//! A carrier's media end.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use super::Received;
use crate::frame::Codec;
use crate::rtp::{self, RtpHeader};
use crate::sdp;

/// One RTP endpoint that sends what it is told and keeps what it receives.
#[derive(Debug)]
pub struct RtpPeer {
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    header: RtpHeader,
    codec: Codec,
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
        Ok(RtpPeer { socket, remote: None, header, codec })
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
        self.set_remote(offer);
        self.description()
    }

    /// Where the description tells to send.
    pub fn set_remote(&mut self, description: &str) {
        self.remote = sdp::parse(description, usize::MAX).ok().map(|remote| remote.rtp);
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
        format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {pt} 101\r\n\
             a=rtpmap:{pt} {name}/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
            pt = codec.payload_type(),
            name = codec.name()
        )
    }

    /// Sends one audio packet; the next one follows it in sequence and time.
    ///
    /// # Errors
    /// When there is no remote address or the system refuses.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let header = self.header;
        self.header.sequence = header.sequence.wrapping_add(1);
        self.header.timestamp = header.timestamp.wrapping_add(payload.len() as u32);
        self.send_raw(header.marker, header.payload_type, header.sequence, header.timestamp, payload)
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
        &self,
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
            if let Some(view) = rtp::parse(&buffer[..length]) {
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
