//! A browser's connection, where the WebRTC library is driven.
//!
//! The library's `RTCPeerConnection` negotiates, answers ICE checks and runs DTLS. What it does not do is done
//! here: consent is timed here, media goes to the address that was nominated last (the library keeps the first), and
//! a panic inside the library ends this connection, not the media thread. Sound is opened and sealed here too, with
//! the keys that the handshake exports: see `keying.rs`.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::RTCPeerConnectionBuilder;
use rtc::peer_connection::certificate::CertificateParams;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_G722, MIME_TYPE_OPUS, MIME_TYPE_PCMA, MIME_TYPE_PCMU, MIME_TYPE_TELEPHONE_EVENT,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCDtlsRole, RTCDtlsTransportState, RTCIceCandidate, RTCIceCandidateInit,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tracing::{debug, warn};
use webrtc::peer_connection::crypto::{RTCCryptoProvider, SignatureScheme, default_provider};
use webrtc::peer_connection::{
    MediaEngine, RTCCertificate, RTCPeerConnection, RTCPeerConnectionEvent, RTCPeerConnectionState,
    RTCSessionDescription,
};

use crate::event::{DisconnectReason, MediaError};
use crate::keying::Keying;
use crate::offer_filter;
use crate::rtcp::{self, Brought};
use crate::rtp::{self, HEADER, RtpHeader};
use crate::sdp::{self, Formats};
use crate::srtp::Srtp;
use crate::wire::MAX_PAYLOAD;

/// How often the library looks at its own state when nothing happens.
const LIBRARY_INTERVAL: Duration = Duration::from_secs(2);
/// Payload type of telephone-event as browsers offer it; the answer follows the offer's number.
const EVENT_PAYLOAD_TYPE: u8 = 126;

/// The server's DTLS certificate, made once per process.
pub(crate) struct Identity {
    certificate: RTCCertificate,
    provider: Arc<dyn RTCCryptoProvider>,
}

impl Identity {
    /// A fresh self-signed ECDSA P-256 certificate.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn generate() -> std::io::Result<Identity> {
        let make = || -> Result<Identity, Box<dyn std::error::Error>> {
            let provider = default_provider()?;
            let parameters = CertificateParams::new(vec!["ringback".to_owned()])?;
            let certificate =
                RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, parameters)?;
            Ok(Identity { certificate, provider })
        };
        make().map_err(|error| std::io::Error::other(error.to_string()))
    }
}

/// What changed on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Connected,
    Gone(DisconnectReason),
    /// Never got connected.
    ConnectTimeout,
}

/// A datagram to send.
pub(crate) struct Transmit {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting { until: Instant },
    Connected { consent_until: Instant },
    Gone,
}

/// One browser's connection.
pub(crate) struct WebrtcLeg {
    connection: RTCPeerConnection,
    keying: Arc<Keying>,
    /// Once the handshake is done.
    srtp: Option<Srtp>,
    sources: Sources,
    local: Vec<SocketAddr>,
    /// Where the browser wants its media: source of the last check that nominated.
    nominated: Option<SocketAddr>,
    phase: Phase,
    consent_timeout: Duration,
    library_deadline: Option<Instant>,
    peer_identity: PeerIdentity,
    ufrag: String,
    password: String,
    formats: Formats,
    ssrc: u32,
    dtls_closed: bool,
}

/// Streams beyond those in its descriptions that a browser may send: each costs memory before a packet proves genuine.
const SOURCES: usize = 32;

/// The SSRCs that a browser has named: in its descriptions, then in its packets.
struct Sources {
    known: Vec<u32>,
    room: usize,
}

impl Sources {
    fn of(offer: &str) -> Sources {
        let mut sources = Sources { known: Vec::new(), room: SOURCES };
        sources.promise(offer);
        sources
    }

    /// Keeps those that a description lists (RFC 5576 §4.1).
    fn promise(&mut self, offer: &str) {
        let lines = offer.lines().filter_map(|line| line.strip_prefix("a=ssrc:"));
        let listed = lines.filter_map(|line| line.split_ascii_whitespace().next()?.parse().ok());
        for ssrc in listed {
            if self.known.len() < 2 * SOURCES && !self.known.contains(&ssrc) {
                self.known.push(ssrc);
            }
        }
    }

    fn admit(&mut self, ssrc: u32) -> bool {
        if !self.known.contains(&ssrc) && self.room > 0 {
            self.room -= 1;
            self.known.push(ssrc);
        }
        self.known.contains(&ssrc)
    }
}

/// What stays the same in a browser's renegotiation and differs after a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PeerIdentity {
    session: String,
    fingerprint: String,
}

/// How a connection is to be answered.
pub(crate) struct AnswerSettings<'a> {
    pub(crate) identity: &'a Identity,
    /// Host candidates; datagrams are taken as received on the first of the sender's family.
    pub(crate) candidates: &'a [SocketAddr],
    /// SSRC of the stream that we send.
    pub(crate) ssrc: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) consent_timeout: Duration,
}

impl WebrtcLeg {
    /// Answers a browser's offer.
    ///
    /// # Errors
    /// [`MediaError::Offer`] when the offer cannot be read or has no G.711 audio.
    pub(crate) fn answer(
        now: Instant,
        offer: &str,
        settings: &AnswerSettings<'_>,
    ) -> Result<(WebrtcLeg, String), MediaError> {
        let peer_identity = PeerIdentity::of(offer).ok_or(MediaError::Offer)?;
        let keying = Arc::new(Keying::new(settings.identity.provider.clone()));
        let mut connection = build(now, settings, keying.clone()).map_err(refuse)?;
        let answer = guarded(|| negotiate(&mut connection, now, offer, settings.candidates))?.map_err(refuse)?;
        let leg = WebrtcLeg {
            connection,
            keying,
            srtp: None,
            sources: Sources::of(offer),
            local: settings.candidates.to_vec(),
            nominated: None,
            phase: Phase::Connecting { until: now + settings.connect_timeout },
            consent_timeout: settings.consent_timeout,
            library_deadline: Some(now),
            peer_identity,
            ufrag: attribute(&answer, "ice-ufrag").ok_or(MediaError::Offer)?,
            password: attribute(&answer, "ice-pwd").ok_or(MediaError::Offer)?,
            formats: sdp::audio_formats(&answer).ok_or(MediaError::Offer)?,
            ssrc: settings.ssrc,
            dtls_closed: false,
        };
        Ok((leg, answer))
    }

    /// Whether `offer` comes from the same connection object of the same page, so that ICE restarts and DTLS goes on.
    pub(crate) fn is_same_peer(&self, offer: &str) -> bool {
        self.phase != Phase::Gone && PeerIdentity::of(offer).as_ref() == Some(&self.peer_identity)
    }

    /// Answers a further offer of the same peer (ICE restart). The credentials change.
    ///
    /// # Errors
    /// [`MediaError::Offer`]; the old connection goes on then.
    pub(crate) fn renegotiate(&mut self, now: Instant, offer: &str) -> Result<String, MediaError> {
        let (connection, local) = (&mut self.connection, &self.local);
        let answer = guarded(|| negotiate(connection, now, offer, local))?.map_err(refuse)?;
        self.ufrag = attribute(&answer, "ice-ufrag").ok_or(MediaError::Offer)?;
        self.password = attribute(&answer, "ice-pwd").ok_or(MediaError::Offer)?;
        self.formats = sdp::audio_formats(&answer).ok_or(MediaError::Offer)?;
        self.sources.promise(offer);
        if let Phase::Connected { .. } = self.phase {
            self.phase = Phase::Connected { consent_until: now + self.consent_timeout };
        }
        self.library_deadline = Some(now);
        Ok(answer)
    }

    pub(crate) fn credentials(&self) -> (String, String) {
        (self.ufrag.clone(), self.password.clone())
    }

    pub(crate) fn formats(&self) -> Formats {
        self.formats
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected { .. })
    }

    /// A STUN datagram that the guard let through; `nominates` of a genuine check.
    pub(crate) fn receive_stun(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        genuine: bool,
        nominates: bool,
    ) {
        if nominates {
            self.nominated = Some(from);
        }
        if genuine && let Phase::Connected { consent_until } = &mut self.phase {
            *consent_until = now + self.consent_timeout;
        }
        self.feed(now, from, datagram);
        self.library_deadline = self.connection.poll_timeout();
    }

    /// A DTLS datagram from a validated address.
    pub(crate) fn receive_dtls(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.feed(now, from, datagram);
        if self.srtp.is_none() {
            self.srtp = self.keying.take().and_then(|agreed| Srtp::new(&agreed));
        }
        self.library_deadline = self.connection.poll_timeout();
        self.dtls_closed = self.is_dtls_closed();
    }

    /// The library changes no state of the connection when the browser closes DTLS.
    fn is_dtls_closed(&mut self) -> bool {
        let sender = self.connection.get_senders().next();
        let sender = sender.and_then(|sender| self.connection.rtp_sender(sender));
        sender.is_some_and(|sender| {
            sender.transport().is_some_and(|transport| transport.state() == RTCDtlsTransportState::Closed)
        })
    }

    /// An SRTP datagram from a validated address, opened; `None` when it is forged or repeated.
    pub(crate) fn receive_media(&mut self, datagram: &[u8]) -> Option<BytesMut> {
        let srtp = self.srtp.as_mut()?;
        if !self.sources.admit(rtp::parse(datagram)?.header.ssrc) {
            return None;
        }
        guarded(|| srtp.unprotect(datagram)).ok()?
    }

    /// An SRTCP datagram from a validated address: what the browser reports about our stream.
    pub(crate) fn receive_reports(&mut self, datagram: &[u8]) -> Option<Brought> {
        let srtp = self.srtp.as_mut()?;
        if !self.sources.admit(rtcp::sender(datagram)?) {
            return None;
        }
        let plain = guarded(|| srtp.unprotect_reports(datagram)).ok()??;
        Some(rtcp::read(&plain, self.ssrc))
    }

    /// Protects one RTP packet.
    pub(crate) fn protect(&mut self, header: RtpHeader, payload: &[u8]) -> Option<Transmit> {
        let to = self.nominated.filter(|_| self.is_connected())?;
        let mut datagram = [0u8; HEADER + MAX_PAYLOAD];
        let length = HEADER + payload.len().min(MAX_PAYLOAD);
        datagram[..HEADER].copy_from_slice(&header.to_bytes());
        datagram[HEADER..length].copy_from_slice(&payload[..length - HEADER]);
        let bytes = self.srtp.as_mut()?.protect(&datagram[..length])?;
        Some(Transmit { to, bytes })
    }

    /// Protects an RTCP compound packet.
    pub(crate) fn protect_reports(&mut self, compound: &[u8]) -> Option<Transmit> {
        let to = self.nominated.filter(|_| self.is_connected())?;
        let bytes = self.srtp.as_mut()?.protect_reports(compound)?;
        Some(Transmit { to, bytes })
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.connection.poll_write()?;
        let is_stun = transmit.message.first().is_some_and(|first| *first < 4);
        let to =
            if is_stun { transmit.transport.peer_addr } else { self.nominated.unwrap_or(transmit.transport.peer_addr) };
        Some(Transmit { to, bytes: transmit.message })
    }

    /// The next change of state.
    pub(crate) fn poll_change(&mut self, now: Instant) -> Option<Change> {
        while let Some(event) = self.connection.poll_event() {
            let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event else { continue };
            match (state, self.phase) {
                (RTCPeerConnectionState::Connected, Phase::Connecting { .. }) if self.srtp.is_none() => {
                    warn!("a browser's connection exported no keys for its media");
                    return Some(self.end(DisconnectReason::TransportFailed));
                }
                (RTCPeerConnectionState::Connected, Phase::Connecting { .. }) => {
                    self.phase = Phase::Connected { consent_until: now + self.consent_timeout };
                    return Some(Change::Connected);
                }
                (RTCPeerConnectionState::Failed, Phase::Connecting { .. } | Phase::Connected { .. }) => {
                    return Some(self.end(DisconnectReason::TransportFailed));
                }
                _ => {}
            }
        }
        match self.phase {
            Phase::Connected { .. } if self.dtls_closed => Some(self.end(DisconnectReason::Closed)),
            Phase::Connecting { until } if until <= now => {
                self.phase = Phase::Gone;
                Some(Change::ConnectTimeout)
            }
            Phase::Connected { consent_until } if consent_until <= now => {
                Some(self.end(DisconnectReason::ConsentExpired))
            }
            _ => None,
        }
    }

    fn end(&mut self, why: DisconnectReason) -> Change {
        self.phase = Phase::Gone;
        Change::Gone(why)
    }

    /// When [`WebrtcLeg::timeout`] wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Connecting { until } => until,
            Phase::Connected { consent_until } => consent_until,
            Phase::Gone => return None,
        };
        Some(self.library_deadline.map_or(own, |library| library.min(own)))
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        if self.library_deadline.is_some_and(|deadline| deadline <= now) {
            let connection = &mut self.connection;
            if guarded(|| connection.handle_timeout(now)).is_err() {
                self.phase = Phase::Gone;
            }
            self.library_deadline =
                self.connection.poll_timeout().map(|deadline| deadline.max(now + Duration::from_millis(5)));
        }
    }

    /// Says goodbye (DTLS close_notify); the datagrams come from [`WebrtcLeg::poll_transmit`].
    pub(crate) fn close(&mut self) {
        let connection = &mut self.connection;
        if guarded(|| connection.close()).is_err() {
            debug!("closing a browser's connection failed");
        }
        self.phase = Phase::Gone;
    }

    fn feed(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(local_addr) = self.local.iter().find(|local| local.is_ipv4() == from.is_ipv4()).copied() else {
            return;
        };
        let transport =
            TransportContext { local_addr, peer_addr: from, transport_protocol: TransportProtocol::UDP, ecn: None };
        let message = TaggedBytesMut { now, transport, message: BytesMut::from(datagram) };
        let connection = &mut self.connection;
        match guarded(|| connection.handle_read(message)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "a browser's datagram was refused"),
            Err(_) => self.phase = Phase::Gone,
        }
    }
}

impl PeerIdentity {
    fn of(offer: &str) -> Option<PeerIdentity> {
        let session = offer.lines().find_map(|line| line.strip_prefix("o="))?.split_ascii_whitespace().nth(1)?;
        Some(PeerIdentity { session: session.to_owned(), fingerprint: attribute(offer, "fingerprint")? })
    }
}

/// Runs library code on peer input: a panic inside becomes an error of this one connection.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, MediaError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        warn!("the WebRTC library panicked on a browser's input; that connection is given up");
        MediaError::Offer
    })
}

fn refuse(error: rtc::shared::error::Error) -> MediaError {
    debug!(%error, "a browser's offer was refused");
    MediaError::Offer
}

/// First value of `a=name:value` in a description.
fn attribute(description: &str, name: &str) -> Option<String> {
    description
        .lines()
        .filter_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
        .map(|value| value.trim().to_owned())
        .next()
}

fn build(
    now: Instant,
    settings: &AnswerSettings<'_>,
    keying: Arc<Keying>,
) -> rtc::shared::error::Result<RTCPeerConnection> {
    let engine = SettingEngineBuilder::new()
        .with_crypto_provider(keying)
        .with_lite(true)
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .with_ice_timeouts(Some(Duration::ZERO), Some(Duration::ZERO), Some(LIBRARY_INTERVAL))
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .build();
    let configuration =
        RTCConfigurationBuilder::new().with_certificates(vec![settings.identity.certificate.clone()]).build();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(engine)
        .with_media_engine(codec_engine()?)
        .with_interceptor_registry(Registry::new())
        .build(now)?;
    connection.add_track(sound_track(settings.ssrc))?;
    Ok(connection)
}

pub(crate) fn codec_engine() -> rtc::shared::error::Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    for (mime, payload_type) in [
        (MIME_TYPE_PCMU, 0),
        (MIME_TYPE_PCMA, 8),
        (MIME_TYPE_G722, 9),
        (MIME_TYPE_OPUS, 111),
        (MIME_TYPE_TELEPHONE_EVENT, EVENT_PAYLOAD_TYPE),
    ] {
        let parameters = RTCRtpCodecParameters { rtp_codec: codec_named(mime), payload_type };
        engine.register_codec(parameters, RtpCodecKind::Audio)?;
    }
    Ok(engine)
}

fn codec_named(mime: &str) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime.to_owned(),
        clock_rate: if mime == MIME_TYPE_OPUS { 48_000 } else { 8000 },
        channels: match mime {
            MIME_TYPE_TELEPHONE_EVENT => 0,
            MIME_TYPE_OPUS => 2,
            _ => 1,
        },
        ..Default::default()
    }
}

fn sound_track(ssrc: u32) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: codec_named(MIME_TYPE_PCMU),
        ..Default::default()
    };
    MediaStreamTrack::new("ringback".into(), "call".into(), "call".into(), RtpCodecKind::Audio, vec![encoding])
}

/// One offer/answer exchange.
fn negotiate(
    connection: &mut RTCPeerConnection,
    now: Instant,
    offer: &str,
    candidates: &[SocketAddr],
) -> rtc::shared::error::Result<String> {
    let offer = offer_filter::reduce(offer);
    connection.set_remote_description(now, RTCSessionDescription::offer(offer.clone())?)?;
    for candidate in candidates {
        let host = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: candidate.ip().to_string(),
                port: candidate.port(),
                component: 1,
                ..Default::default()
            },
            ..Default::default()
        }
        .new_candidate_host()?;
        connection.add_local_candidate(RTCIceCandidate::from(&host).to_json()?)?;
    }
    connection.add_local_candidate(RTCIceCandidateInit::default())?;
    let answer = connection.create_answer(None)?;
    connection.set_local_description(now, answer)?;
    let answer = connection.local_description().map(|description| description.sdp).unwrap_or_default();
    Ok(offer_filter::tidy_answer(&answer, &offer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_use_up_the_room_of_what_was_promised() {
        let mut sources =
            Sources::of("v=0\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:a b\r\na=ssrc:8 cname:x\r\na=ssrc:what\r\n");
        let admitted = (1000..2000).filter(|ssrc| sources.admit(*ssrc)).count();
        assert_eq!(admitted, SOURCES);
        assert!(sources.admit(7) && sources.admit(8) && sources.admit(1000) && !sources.admit(1999));
        sources.promise("a=ssrc:9\r\n");
        assert!(sources.admit(9), "a later description");
    }
}
