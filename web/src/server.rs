//! Listeners: http and https, bounded connections, and an end with a deadline.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{Request, Response},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::{
    http::edge::Peer,
    idle::{Activity, Prompt},
    state::App,
};

/// What a listener needs besides its socket.
#[derive(Clone)]
pub struct Listening {
    pub app: App,
    pub router: Router,
    /// Ticks when listeners must close.
    pub closing: watch::Receiver<bool>,
    pub connections: Arc<Semaphore>,
}

/// Binds an address; the error names it.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

impl Listening {
    /// Accepts until told to close; connections live on in their own tasks.
    pub async fn serve(self, listener: TcpListener, tls: Option<watch::Receiver<Arc<ServerConfig>>>) {
        let mut closing = self.closing.clone();
        loop {
            // Above the limit new connections wait in the system's own queue.
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors: give connections a moment to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // Small answers should not wait for more.
            let _ = stream.set_nodelay(true);
            let (listening, tls) = (self.clone(), tls.as_ref().map(|tls| tls.borrow().clone()));
            tokio::spawn(async move {
                listening.app.counters.connections.fetch_add(1, Relaxed);
                listening.connection(stream, address, tls).await;
                listening.app.counters.connections.fetch_sub(1, Relaxed);
                drop(permit);
            });
        }
    }

    async fn connection(&self, stream: TcpStream, address: SocketAddr, tls: Option<Arc<ServerConfig>>) {
        let Some(config) = tls else {
            return self.speak(stream, Peer { address, tls: false }).await;
        };
        let patience = Duration::from_secs(u64::from(self.app.limits().handshake_seconds));
        match timeout(patience, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, Peer { address, tls: true }).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(&self, stream: S, peer: Peer) {
        let patience = Duration::from_secs(u64::from(self.app.limits().header_seconds));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(64 * 1024);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100).keep_alive_interval(Some(patience));
        let activity = Arc::new(Activity::default());
        let (router, at_work) = (self.router.clone(), activity.clone());
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| match body.is_end_stream() {
                true => Body::empty(),
                false => Body::new(Prompt::within(patience, body)),
            });
            request.extensions_mut().insert(peer);
            let (router, asked) = (router.clone(), at_work.begin());
            async move {
                let response: Response<Body> = router.oneshot(request).await?;
                Ok::<_, Infallible>(response.map(|body| Body::new(asked.until_end_of(body))))
            }
        });
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(activity.watch(stream)), service);
        tokio::pin!(connection);
        let mut closing = self.closing.clone();
        tokio::select! {
            () = activity.idle_for(patience) => {
                tracing::debug!("an idle connection is closed");
                return;
            }
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
        }
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}
