//! The server's life: open, serve, and go down with care.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ringback_engine::EngineLimits;
use ringback_routing::time::Millis;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    config::ServerConfig,
    counties,
    demo::portal::DemoPortal,
    gate,
    http::routes,
    prompts, retention,
    server::{Listening, bind},
    start::{self, RunError},
    state::{self, App, Judges, Outside},
    tls::CertificateFiles,
    webhooks,
};

/// How often sessions, used tokens and keys that expired are forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(600);
/// How long open answers may take to end after the calls have.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A server that runs.
pub struct Running {
    pub app: App,
    listeners: JoinSet<()>,
    closing: watch::Sender<bool>,
    reload: watch::Sender<u64>,
    /// Bound addresses, in the order of the configuration: http, then https.
    pub addresses: Vec<SocketAddr>,
}

/// Starts everything; returns when requests are taken.
pub async fn up(config: ServerConfig, demo: Option<DemoPortal>) -> Result<Running, RunError> {
    let store = start::open_store(&config).await?;
    let config = counties::in_force(&store, config).await?;
    let mut library = match &demo {
        Some(_) => crate::demo::prompts()?,
        None => start::library(&config)?,
    };
    for tenant in &config.tenants {
        let own = prompts::brought(&store, &tenant.core.id, &tenant.face.own_prompts).await?;
        library.set_brought(tenant.core.id.clone(), own);
    }
    let key = state::installation_key(&store).await?;
    let judges = Judges::new(&config, &store, &key);
    let engine = start::engine(&config, store.clone(), library, &judges, EngineLimits::default()).await?;
    let outside = Outside::new(&config).map_err(|error| RunError::Config(error.to_string()))?;
    let app = App::new(config, engine, store, key, judges, outside, demo);
    let (closing, closes) = watch::channel(false);
    let (reload, reloads) = watch::channel(0);
    let listening = Listening {
        app: app.clone(),
        router: routes::router(&app),
        closing: closes,
        connections: Arc::new(Semaphore::new(app.limits().connections)),
    };
    let mut running = Running { app: app.clone(), listeners: JoinSet::new(), closing, reload, addresses: Vec::new() };
    let server = &app.config.file.server;
    for address in &server.http {
        running.listen(&listening, *address, None).await?;
    }
    if let (Some(certificate), Some(private_key), false) =
        (&server.certificate, &server.private_key, server.https.is_empty())
    {
        let files = CertificateFiles { certificate: certificate.clone(), private_key: private_key.clone() };
        let (current, config) = watch::channel(files.load().map_err(|error| RunError::Config(error.to_string()))?);
        tokio::spawn(files.keep_fresh(current, reloads, app.engine.alarm_book()));
        for address in &server.https {
            running.listen(&listening, *address, Some(config.clone())).await?;
        }
    }
    tokio::spawn(gate::keep_audited(app.clone()));
    tokio::spawn(retention::keep(app.clone()));
    tokio::spawn(webhooks::keep_sending(app.clone()));
    tokio::spawn(forget_expired(app));
    Ok(running)
}

impl Running {
    /// Where the SIP server listens (UDP).
    pub fn sip_udp(&self) -> Option<SocketAddr> {
        self.app.engine.sip_udp()
    }

    async fn listen(
        &mut self,
        listening: &Listening,
        address: SocketAddr,
        tls: Option<watch::Receiver<Arc<rustls::ServerConfig>>>,
    ) -> Result<(), RunError> {
        let listener = bind(address).await?;
        let bound = listener.local_addr()?;
        tracing::info!(address = %bound, tls = tls.is_some(), "listening");
        self.addresses.push(bound);
        self.listeners.spawn(listening.clone().serve(listener, tls));
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second signal ends the process at once. SIGHUP loads the
    /// certificate again.
    pub async fn until_told(self) -> Result<(), RunError> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload.send_modify(|count| *count += 1),
            }
        }
        tracing::info!(
            "going down: no new calls, those that live go on until the deadline; a second signal ends at once"
        );
        tokio::select! {
            _ = self.down() => tracing::info!("everything is closed"),
            _ = terminate.recv() => tracing::warn!("ended at once"),
            _ = interrupt.recv() => tracing::warn!("ended at once"),
        }
        Ok(())
    }

    /// Agents keep their sockets until the calls are over; customers' pages are told by readiness and retries.
    pub async fn down(mut self) {
        self.app.draining.send_replace(true);
        let patience = Duration::from_secs(u64::from(self.app.config.file.server.drain_seconds));
        self.app.engine.drain(patience).await;
        self.app.closing.send_replace(true);
        self.closing.send_replace(true);
        let all = async { while self.listeners.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_PATIENCE, all).await.is_err() {
            tracing::debug!("a listener did not end in time");
        }
    }
}

async fn forget_expired(app: App) {
    let mut every = tokio::time::interval(PURGE_EVERY);
    let mut draining = app.draining.subscribe();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        // A token could still be inside its leeway: an hour more costs nothing.
        if let Err(error) = app.store.purge_leases(app.now()).await {
            tracing::warn!(%error, "numbers that are lent no more could not be forgotten");
        }
        if let Err(error) = app.store.purge_expired(app.now() - Millis::from_secs(3600)).await {
            tracing::warn!(%error, "what expired could not be forgotten");
        }
    }
}
