//! Between a foreign peer and us over TCP: the bytes are the peer's, the pieces in which they arrive are the test's.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout_at},
};

#[derive(Clone, Copy)]
pub enum Pieces {
    /// What came within so long, at once.
    Few(Duration),
    /// So many bytes at a time.
    Of(usize),
}

pub struct Relay {
    pub address: SocketAddr,
    most: Arc<AtomicUsize>,
}

impl Relay {
    pub async fn start(to: SocketAddr, pieces: Pieces) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let relay = Self { address: listener.local_addr().expect("bound"), most: Arc::default() };
        let most = relay.most.clone();
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let ours = TcpStream::connect(to).await.expect("we listen");
                ours.set_nodelay(true).expect("a socket");
                tokio::spawn(between(peer, ours, pieces, most.clone()));
            }
        });
        relay
    }

    /// Messages that began in the fullest piece.
    pub fn most_in_one(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

async fn between(mut peer: TcpStream, mut ours: TcpStream, pieces: Pieces, most: Arc<AtomicUsize>) {
    let (mut from_peer, mut to_peer) = peer.split();
    let (mut from_us, mut to_us) = ours.split();
    let there = async {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(length @ 1..) = from_peer.read(&mut buffer).await {
            match pieces {
                Pieces::Few(wait) => {
                    let mut whole = buffer[..length].to_vec();
                    let until = Instant::now() + wait;
                    while let Ok(Ok(more @ 1..)) = timeout_at(until, from_peer.read(&mut buffer)).await {
                        whole.extend_from_slice(&buffer[..more]);
                    }
                    let messages = String::from_utf8_lossy(&whole).matches("\nCall-ID:").count();
                    most.fetch_max(messages, Ordering::Relaxed);
                    to_us.write_all(&whole).await.expect("we read");
                }
                Pieces::Of(size) => {
                    for piece in buffer[..length].chunks(size) {
                        to_us.write_all(piece).await.expect("we read");
                        // The next one is another segment.
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        }
    };
    tokio::select! { () = there => {}, _ = copy(&mut from_us, &mut to_peer) => {} }
}
