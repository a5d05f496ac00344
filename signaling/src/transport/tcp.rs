//! Connections in and out, plain or in TLS: one reader and one writer task each, with limits on number, silence and
//! slowness.

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
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Arrival, Shared, Why, tls};
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
pub(crate) async fn listen(listener: TcpListener, security: Option<tls::Acceptor>, shared: Shared, census: Census) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok((stream, from)) => (stream, SocketAddr::new(from.ip().to_canonical(), from.port())),
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
        let transport = if security.is_some() { Transport::Tls } else { Transport::Tcp };
        let peer = Peer { transport, address };
        tokio::spawn(accepted(stream, security.clone(), peer, shared.clone(), seat));
    }
}

async fn accepted(stream: TcpStream, security: Option<tls::Acceptor>, peer: Peer, shared: Shared, seat: Seat) {
    let (writer, writes) = mpsc::channel(shared.limits.connection_queue);
    let id = next_id();
    prompt(&stream);
    let arrival = Arrival::Accepted { from: peer, id, writer: writer.clone() };
    let Some(security) = security else {
        if shared.arrivals.send(arrival).await.is_ok() {
            run(stream, peer, id, writer, writes, shared, seat).await;
        }
        return;
    };
    match timeout(shared.limits.connect_timeout, security.accept(stream)).await {
        Ok(Ok(stream)) => {
            if shared.arrivals.send(arrival).await.is_ok() {
                run(stream, peer, id, writer, writes, shared, seat).await;
            }
        }
        Ok(Err(error)) => {
            tracing::info!(address = %peer.address, error, "a TLS handshake failed");
            shared.count(|tally| &tally.cut);
        }
        Err(_) => shared.count(|tally| &tally.cut),
    }
}

/// Small messages leave at once.
fn prompt(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
}

/// Opens a connection and serves it; what is queued meanwhile waits. Runs until the connection ends.
pub(crate) async fn connect(
    peer: Peer,
    security: Option<tls::TlsPeer>,
    id: u64,
    writer: mpsc::Sender<Write>,
    mut writes: mpsc::Receiver<Write>,
    shared: Shared,
    census: Census,
) {
    // Our own calls are bounded already; only the total counts here.
    let seat = census.seat(peer.address.ip(), shared.limits.max_connections, usize::MAX);
    let (stream, seat) = match (open(peer, &shared).await, seat) {
        (Ok(stream), Some(seat)) => (stream, seat),
        (Err(why), _) => return never(peer, id, &mut writes, &shared, why).await,
        (Ok(_), None) => return never(peer, id, &mut writes, &shared, "too many connections".into()).await,
    };
    let security = match (peer.transport, security) {
        (Transport::Tls, Some(security)) => security,
        (Transport::Tls, None) => return never(peer, id, &mut writes, &shared, "TLS to no trunk of ours".into()).await,
        _ => return run(stream, peer, id, writer, writes, shared, seat).await,
    };
    match timeout(shared.limits.connect_timeout, tls::connect(stream, security)).await {
        Ok(Ok(stream)) => run(stream, peer, id, writer, writes, shared, seat).await,
        Ok(Err(why)) => never(peer, id, &mut writes, &shared, why.into()).await,
        Err(_) => never(peer, id, &mut writes, &shared, "TLS: no handshake in time".into()).await,
    }
}

async fn open(peer: Peer, shared: &Shared) -> Result<TcpStream, Why> {
    match timeout(shared.limits.connect_timeout, TcpStream::connect(peer.address)).await {
        Ok(Ok(stream)) => {
            prompt(&stream);
            Ok(stream)
        }
        Ok(Err(error)) => Err(format!("no connection: {error}").into()),
        Err(_) => Err("no connection in time".into()),
    }
}

/// A connection that did not come about: what waited for it is unsent.
async fn never(peer: Peer, id: u64, writes: &mut mpsc::Receiver<Write>, shared: &Shared, why: Why) {
    tracing::info!(address = %peer.address, %why, "no connection to the trunk");
    writes.close();
    give_back(writes, shared, &why).await;
    let _ = shared.arrivals.send(Arrival::Closed { peer, id, why }).await;
}

async fn run(
    stream: impl tls::Stream,
    peer: Peer,
    id: u64,
    writer: mpsc::Sender<Write>,
    writes: mpsc::Receiver<Write>,
    shared: Shared,
    seat: Seat,
) {
    let (reader, half) = tokio::io::split(stream);
    let slow = shared.limits.slow_sender;
    let writing = tokio::spawn(write(half, writes, shared.clone(), slow));
    // A weak writer for pings only: the strong one would keep the writing task alive for ever.
    let weak = writer.downgrade();
    drop(writer);
    let why = tokio::select! {
        why = read(reader, peer, &shared, weak) => why,
        _ = &mut Abort(writing) => "the connection no longer takes bytes".into(),
    };
    let _ = shared.arrivals.send(Arrival::Closed { peer, id, why }).await;
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

/// Reads messages until the peer closes, loses its framing, falls silent or dawdles; says which.
async fn read(mut reader: impl AsyncRead + Unpin, peer: Peer, shared: &Shared, writer: mpsc::WeakSender<Write>) -> Why {
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
            Ok(Ok(0)) => return "the far side closed the connection".into(),
            Ok(Err(error)) => return format!("the connection broke: {error}").into(),
            Err(_) => {
                shared.count(|tally| &tally.cut);
                return "cut for silence or slowness".into();
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
                        return "the server stops".into();
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
                    return "the far side does not speak SIP".into();
                }
            }
        }
    }
}

/// Writes until the endpoint lets go of the connection or the peer stops reading.
async fn write(
    mut half: impl AsyncWrite + Unpin,
    mut writes: mpsc::Receiver<Write>,
    shared: Shared,
    patience: Duration,
) {
    while let Some(Write { bytes, client }) = writes.recv().await {
        // TLS holds bytes back until it is told to send.
        let all = async {
            half.write_all(&bytes).await?;
            half.flush().await
        };
        if !matches!(timeout(patience, all).await, Ok(Ok(()))) {
            if let Some(client) = client {
                let why = "the connection broke".into();
                let _ = shared.arrivals.send(Arrival::Unsent { clients: vec![client], why }).await;
            }
            break;
        }
    }
    writes.close();
    give_back(&mut writes, &shared, &"the connection broke".into()).await;
}

/// Reports what was still queued as unsent.
async fn give_back(writes: &mut mpsc::Receiver<Write>, shared: &Shared, why: &Why) {
    let mut clients = Vec::new();
    while let Ok(write) = writes.try_recv() {
        clients.extend(write.client);
    }
    if !clients.is_empty() {
        let _ = shared.arrivals.send(Arrival::Unsent { clients, why: why.clone() }).await;
    }
}
