//! An agent's browser: a full ICE agent with DTLS and SRTP that offers G.711.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::RTCPeerConnectionBuilder;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use webrtc::peer_connection::{
    RTCPeerConnection, RTCPeerConnectionEvent, RTCPeerConnectionState, RTCSessionDescription,
};

use super::Received;
use crate::webrtc_leg::codec_engine;

/// One browser with a socket of its own.
pub struct BrowserPeer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    state: RTCPeerConnectionState,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    received: Vec<Received>,
}

impl BrowserPeer {
    /// Binds a port of the system's choice; gives the peer and its offer.
    ///
    /// # Errors
    /// When the address cannot be bound or the library refuses.
    pub fn offer(now: Instant, address: IpAddr) -> io::Result<(BrowserPeer, String)> {
        let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let ssrc = 0x4252_0000 | u32::from(local.port());
        let (connection, offer) = connect(now, local, ssrc).map_err(io::Error::other)?;
        let peer = BrowserPeer {
            connection,
            socket,
            local,
            state: RTCPeerConnectionState::New,
            ssrc,
            sequence: local.port(),
            timestamp: u32::from(local.port()) << 8,
            received: Vec::new(),
        };
        Ok((peer, offer))
    }

    /// Takes the server's answer; from now on [`BrowserPeer::drive`] connects.
    ///
    /// # Errors
    /// When the library refuses the answer.
    pub fn accept(&mut self, now: Instant, answer: &str) -> io::Result<()> {
        let answer = RTCSessionDescription::answer(answer.to_owned()).map_err(io::Error::other)?;
        self.connection.set_remote_description(now, answer).map_err(io::Error::other)?;
        self.drive(now);
        Ok(())
    }

    /// An offer that restarts ICE on the same connection.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn restart(&mut self, now: Instant) -> io::Result<String> {
        self.connection.restart_ice();
        let offer = self.connection.create_offer(None).map_err(io::Error::other)?;
        self.connection.set_local_description(now, offer).map_err(io::Error::other)?;
        let offer = self.connection.local_description().map(|offer| offer.sdp);
        offer.ok_or_else(|| io::Error::other("no offer"))
    }

    /// For registration with an event loop.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub fn is_connected(&self) -> bool {
        self.state == RTCPeerConnectionState::Connected
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.state, RTCPeerConnectionState::Closed | RTCPeerConnectionState::Failed)
    }

    /// Reads the socket, runs timers that are due, sends what is to be sent.
    pub fn drive(&mut self, now: Instant) {
        let mut buffer = [0u8; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let at = Instant::now();
            let transport = TransportContext {
                local_addr: self.local,
                peer_addr: from,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            };
            let message = TaggedBytesMut { now: at, transport, message: BytesMut::from(&buffer[..length]) };
            let _ = self.connection.handle_read(message);
            self.collect();
        }
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            let _ = self.connection.handle_timeout(now);
        }
        self.flush();
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.state = state;
            }
        }
        self.flush();
    }

    /// When [`BrowserPeer::drive`] has something to do even without a datagram.
    pub fn deadline(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    /// Sends one PCMU packet; the next one follows it in sequence and time.
    pub fn send(&mut self, now: Instant, payload: &[u8]) {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        self.sequence = sequence.wrapping_add(1);
        self.timestamp = timestamp.wrapping_add(payload.len() as u32);
        self.send_raw(now, false, 0, sequence, timestamp, payload);
    }

    /// Sends one telephone-event packet (RFC 4733, payload type 126) at the current timestamp; the timestamp moves on
    /// by `duration` only when `last` is set.
    pub fn send_event(&mut self, now: Instant, code: u8, duration: u16, end: bool, last: bool) {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        self.sequence = sequence.wrapping_add(1);
        if last {
            self.timestamp = timestamp.wrapping_add(u32::from(duration));
        }
        let payload = crate::dtmf::Event { code, end, duration }.to_bytes();
        self.send_raw(now, duration == 160, 126, sequence, timestamp, &payload);
    }

    /// Sends a packet with every field given.
    pub fn send_raw(
        &mut self,
        now: Instant,
        marker: bool,
        payload_type: u8,
        sequence_number: u16,
        timestamp: u32,
        payload: &[u8],
    ) {
        let packet = rtc::rtp::Packet {
            header: rtc::rtp::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number,
                timestamp,
                ssrc: self.ssrc,
                ..Default::default()
            },
            payload: Bytes::copy_from_slice(payload),
        };
        let message = RTCMessage::RtpPacket(String::new(), packet);
        let _ = self.connection.handle_write(TaggedRTCMessage { now, message });
        self.flush();
    }

    /// Takes what was received since the last call.
    pub fn take_received(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.received)
    }

    /// Says goodbye.
    pub fn close(&mut self) {
        let _ = self.connection.close();
        self.flush();
    }

    fn collect(&mut self) {
        while let Some(TaggedRTCMessage { now, message }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                self.received.push(Received {
                    at: now,
                    marker: packet.header.marker,
                    payload_type: packet.header.payload_type,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    ssrc: packet.header.ssrc,
                    payload: packet.payload.to_vec(),
                });
            }
        }
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.connection.poll_write() {
            let _ = self.socket.send_to(&transmit.message, transmit.transport.peer_addr);
        }
    }
}

fn connect(now: Instant, local: SocketAddr, ssrc: u32) -> rtc::shared::error::Result<(RTCPeerConnection, String)> {
    let engine = SettingEngineBuilder::new()
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .build();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_setting_engine(engine)
        .with_media_engine(codec_engine()?)
        .with_interceptor_registry(Registry::new())
        .build(now)?;
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        ..Default::default()
    };
    let track = MediaStreamTrack::new("agent".into(), "mic".into(), "mic".into(), RtpCodecKind::Audio, vec![encoding]);
    connection.add_track(track)?;
    let host = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: local.ip().to_string(),
            port: local.port(),
            component: 1,
            ..Default::default()
        },
        ..Default::default()
    }
    .new_candidate_host()?;
    let offer = connection.create_offer(None)?;
    connection.set_local_description(now, offer)?;
    connection.add_local_candidate(RTCIceCandidate::from(&host).to_json()?)?;
    connection.add_local_candidate(RTCIceCandidateInit::default())?;
    let offer = connection.local_description().map(|offer| offer.sdp).unwrap_or_default();
    Ok((connection, offer))
}
