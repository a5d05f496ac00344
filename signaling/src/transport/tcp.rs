//! Connections in and out: one reader and one writer task each, with limits on number, silence and slowness.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Arrival, Shared};
use crate::{
    config::Transport,
    dialog::Peer,
    framing::{Frame, Framer},
};

/// Bytes read at a time.
const READ_CHUNK: usize = 4_096;

/// Pause after a failed accept (out of descriptors), lest the listener spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes for a connection, with the client transaction to tell should they not leave.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) bytes: Bytes,
    pub(crate) client: Option<u64>,
}

/// How many connections are open, in all and per address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A counted connection; uncounted when dropped.
#[derive(Debug)]
struct Seat {
    census: Census,
    address: IpAddr,
}

impl Census {
    fn seat(&self, address: IpAddr, most: usize, most_per_source: usize) -> Option<Seat> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = table.values().sum();
        let here = table.get(&address).copied().unwrap_or(0);
        if all >= most || here >= most_per_source {
            return None;
        }
        table.insert(address, here + 1);
        Some(Seat { census: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.census.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                table.remove(&self.address);
            }
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Accepts until the endpoint is gone. Strangers and those above the limits are closed without a word.
pub(crate) async fn listen(listener: TcpListener, shared: Shared, census: Census) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if !shared.with_guard(|guard| guard.knows(address.ip())) {
            shared.count(|tally| &tally.strangers);
            continue;
        }
        let limits = &shared.limits;
        let seat = census.seat(address.ip(), limits.max_connections, limits.max_connections_per_source);
        let Some(seat) = seat else {
            shared.count(|tally| &tally.cut);
            continue;
        };
        let (writer, writes) = mpsc::channel(limits.connection_queue);
        let peer = Peer { transport: Transport::Tcp, address };
        let id = next_id();
        if shared.arrivals.send(Arrival::Accepted { from: peer, id, writer: writer.clone() }).await.is_err() {
            return;
        }
        tokio::spawn(run(stream, peer, id, writer, writes, shared.clone(), seat));
    }
}

/// Opens a connection and serves it; what is queued meanwhile waits. Runs until the connection ends.
pub(crate) async fn connect(
    address: SocketAddr,
    id: u64,
    writer: mpsc::Sender<Write>,
    mut writes: mpsc::Receiver<Write>,
    shared: Shared,
    census: Census,
) {
    let peer = Peer { transport: Transport::Tcp, address };
    // Our own calls are bounded already; only the total counts here.
    let seat = census.seat(address.ip(), shared.limits.max_connections, usize::MAX);
    let stream = match (&seat, timeout(shared.limits.connect_timeout, TcpStream::connect(address)).await) {
        (Some(_), Ok(Ok(stream))) => Some(stream),
        (_, Ok(Err(error))) => {
            tracing::info!(%address, %error, "no connection to the trunk");
            None
        }
        _ => None,
    };
    match (stream, seat) {
        (Some(stream), Some(seat)) => run(stream, peer, id, writer, writes, shared, seat).await,
        _ => {
            writes.close();
            give_back(&mut writes, &shared).await;
            let _ = shared.arrivals.send(Arrival::Closed { peer, id }).await;
        }
    }
}

async fn run(
    stream: TcpStream,
    peer: Peer,
    id: u64,
    writer: mpsc::Sender<Write>,
    writes: mpsc::Receiver<Write>,
    shared: Shared,
    seat: Seat,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
    let (reader, half) = stream.into_split();
    let slow = shared.limits.slow_sender;
    let writing = tokio::spawn(write(half, writes, shared.clone(), slow));
    // A weak writer for pings only: the strong one would keep the writing task alive for ever.
    let weak = writer.downgrade();
    drop(writer);
    tokio::select! {
        () = read(reader, peer, &shared, weak) => {}
        _ = &mut Abort(writing) => {}
    }
    let _ = shared.arrivals.send(Arrival::Closed { peer, id }).await;
    drop(seat);
}

/// Aborts a task when dropped, so that neither half of a connection outlives the other.
struct Abort(tokio::task::JoinHandle<()>);

impl std::future::Future for Abort {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads messages until the peer closes, loses its framing, falls silent or dawdles.
async fn read(mut reader: OwnedReadHalf, peer: Peer, shared: &Shared, writer: mpsc::WeakSender<Write>) {
    let mut framer = Framer::new(&shared.limits);
    let mut chunk = vec![0; READ_CHUNK];
    let mut begun: Option<Instant> = None;
    loop {
        let now = Instant::now();
        begun = if framer.is_inside() { Some(begun.unwrap_or(now)) } else { None };
        let until = match begun {
            Some(begun) => begun + shared.limits.slow_sender,
            None => now + shared.limits.idle_connection,
        };
        let count = match timeout_at(until, reader.read(&mut chunk)).await {
            Ok(Ok(0) | Err(_)) => return,
            Err(_) => {
                shared.count(|tally| &tally.cut);
                return;
            }
            Ok(Ok(count)) => count,
        };
        framer.push(&chunk[..count]);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(parsed))) => {
                    begun = None;
                    if shared.passes(peer.address.ip())
                        && shared.arrivals.send(Arrival::Message { from: peer, parsed }).await.is_err()
                    {
                        return;
                    }
                }
                Ok(Some(Frame::Ping)) => {
                    if let Some(writer) = writer.upgrade() {
                        // A peer that does not read its answers gets none.
                        let _ = writer.try_send(Write { bytes: Bytes::from_static(b"\r\n"), client: None });
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "a connection lost its framing");
                    shared.count(|tally| &tally.unreadable);
                    return;
                }
            }
        }
    }
}

/// Writes until the endpoint lets go of the connection or the peer stops reading.
async fn write(mut half: OwnedWriteHalf, mut writes: mpsc::Receiver<Write>, shared: Shared, patience: Duration) {
    while let Some(Write { bytes, client }) = writes.recv().await {
        if !matches!(timeout(patience, half.write_all(&bytes)).await, Ok(Ok(()))) {
            if let Some(client) = client {
                let _ = shared.arrivals.send(Arrival::Unsent { clients: vec![client] }).await;
            }
            break;
        }
    }
    writes.close();
    give_back(&mut writes, &shared).await;
}

/// Reports what was still queued as unsent.
async fn give_back(writes: &mut mpsc::Receiver<Write>, shared: &Shared) {
    let mut clients = Vec::new();
    while let Ok(write) = writes.try_recv() {
        clients.extend(write.client);
    }
    if !clients.is_empty() {
        let _ = shared.arrivals.send(Arrival::Unsent { clients }).await;
    }
}
