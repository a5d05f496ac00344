//! Finding a carrier's servers by name (RFC 3263 §4): the only file that touches hickory.

use std::{net::SocketAddr, sync::Arc};

use hickory_resolver::{
    ResolveError, TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    name_server::TokioConnectionProvider,
    proto::xfer::Protocol,
};

use crate::{config::Transport, trunk::Located};

/// SRV records looked at; their hosts are looked up one by one.
const MAX_RECORDS: usize = 16;

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) host: String,
    /// With a port there is no SRV look-up.
    pub(crate) port: Option<u16>,
    pub(crate) transport: Transport,
    pub(crate) sips: bool,
}

impl Wanted {
    fn service(&self) -> String {
        let service = match self.transport {
            Transport::Tls => "_sips._tcp",
            Transport::Tcp if self.sips => "_sips._tcp",
            Transport::Tcp => "_sip._tcp",
            Transport::Udp => "_sip._udp",
        };
        // The dot at the end keeps the system's search list out of it.
        format!("{service}.{}.", self.host.trim_end_matches('.'))
    }
}

/// A cheap handle on the resolver and its cache, which heeds the records' times to live.
#[derive(Clone)]
pub(crate) struct Resolver(Option<Arc<TokioResolver>>);

impl Resolver {
    /// Asks `nameservers`, or without any those of the system.
    pub(crate) fn start(nameservers: Vec<SocketAddr>) -> Self {
        let builder = if nameservers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let mut config = ResolverConfig::new();
            for address in nameservers {
                for protocol in [Protocol::Udp, Protocol::Tcp] {
                    config.add_name_server(NameServerConfig::new(address, protocol));
                }
            }
            Ok(TokioResolver::builder_with_config(config, TokioConnectionProvider::default()))
        };
        match builder {
            Ok(builder) => Self(Some(Arc::new(builder.build()))),
            Err(error) => {
                tracing::warn!(%error, "the system names no name server; carriers are looked up by the system alone");
                Self(None)
            }
        }
    }

    /// The servers of a host. The error is for the operator.
    pub(crate) async fn locate(&self, wanted: &Wanted) -> Result<Vec<Located>, String> {
        let default_port = wanted.transport.default_port();
        let Some(resolver) = &self.0 else {
            let port = wanted.port.unwrap_or(default_port);
            let found = tokio::net::lookup_host((wanted.host.as_str(), port)).await;
            return found.map(|found| found.map(plain).collect()).map_err(|error| format!("{}: {error}", wanted.host));
        };
        if wanted.port.is_none() {
            match resolver.srv_lookup(wanted.service()).await {
                Ok(records) => return servers(resolver, wanted, records.iter()).await,
                Err(error) if is_nothing(&error) => {}
                Err(error) => return Err(format!("{}: {error}", wanted.service())),
            }
        }
        addresses(resolver, &wanted.host, wanted.port.unwrap_or(default_port)).await
    }
}

async fn servers<'a>(
    resolver: &TokioResolver,
    wanted: &Wanted,
    records: impl Iterator<Item = &'a hickory_resolver::proto::rr::rdata::SRV>,
) -> Result<Vec<Located>, String> {
    let mut records: Vec<_> = records.filter(|record| !record.target().is_root()).collect();
    if records.is_empty() {
        return Err(format!("{} says that there is no such service", wanted.service()));
    }
    records.sort_by_key(|record| record.priority());
    let (mut found, mut trouble) = (Vec::new(), None);
    for record in records.into_iter().take(MAX_RECORDS) {
        match addresses(resolver, &record.target().to_utf8(), record.port()).await {
            Ok(addresses) => found.extend(addresses.into_iter().map(|located| Located {
                priority: record.priority(),
                weight: record.weight(),
                ..located
            })),
            Err(error) => trouble = Some(error),
        }
    }
    match trouble {
        Some(trouble) if found.is_empty() => Err(trouble),
        _ => Ok(found),
    }
}

async fn addresses(resolver: &TokioResolver, host: &str, port: u16) -> Result<Vec<Located>, String> {
    match resolver.lookup_ip(host).await {
        Ok(found) => Ok(found.iter().map(|address| plain(SocketAddr::new(address, port))).collect()),
        Err(error) if is_nothing(&error) => Err(format!("{host} does not exist or has no address")),
        Err(error) => Err(format!("{host}: {error}")),
    }
}

fn plain(address: SocketAddr) -> Located {
    Located { address, priority: 0, weight: 0 }
}

/// The name servers answered that there is nothing, as opposed to not answering.
fn is_nothing(error: &ResolveError) -> bool {
    error.is_nx_domain() || error.is_no_records_found()
}
