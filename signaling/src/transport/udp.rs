//! Datagrams in. Going out needs no task: the endpoint sends on the same socket.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::UdpSocket, sync::mpsc::error::TrySendError};

use super::{Arrival, Shared};
use crate::{config::Transport, dialog::Peer, guard::is_plausible, message::parse_datagram};

/// Largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// Pause after a failed read, lest a broken socket spin.
const READ_PAUSE: Duration = Duration::from_millis(20);

/// Sends a datagram; an IPv4 peer is reached from a socket bound to an IPv6 address by its mapped address.
pub(crate) async fn send(
    socket: &UdpSocket,
    bound: Option<SocketAddr>,
    bytes: &[u8],
    to: SocketAddr,
) -> std::io::Result<()> {
    let to = match (bound, to.ip()) {
        (Some(SocketAddr::V6(_)), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
        _ => to,
    };
    socket.send_to(bytes, to).await.map(|_| ())
}

/// Reads until the endpoint is gone. A full queue drops: SIP over UDP repeats what matters.
pub(crate) async fn read(socket: Arc<UdpSocket>, shared: Shared) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, source) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "reading a datagram failed");
                tokio::time::sleep(READ_PAUSE).await;
                continue;
            }
        };
        // One socket may serve both families: IPv4 then looks like ::ffff:192.0.2.1.
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let bytes = &buffer[..length];
        if !shared.passes(source.ip()) {
            continue;
        }
        // Keep-alives are empty lines (RFC 5626 §3.5.1, and the habit of many phones).
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            continue;
        }
        if length > shared.limits.max_message_bytes || !is_plausible(bytes) {
            shared.count(|tally| &tally.unreadable);
            continue;
        }
        let Ok(parsed) = parse_datagram(bytes, shared.limits.max_headers) else {
            shared.count(|tally| &tally.unreadable);
            continue;
        };
        let from = Peer { transport: Transport::Udp, address: source };
        match shared.arrivals.try_send(Arrival::Message { from, parsed }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => shared.count(|tally| &tally.overflow),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}
