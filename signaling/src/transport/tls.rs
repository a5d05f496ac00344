//! TLS around connections: the only file that touches rustls. Certificates come from files and are read again when the
//! files have changed; a connection that stands keeps what it was made with.

use std::{
    fs, io,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        CertificateError, ClientConfig, Error, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use crate::{config::TlsListen, trunk::TlsFiles};

/// What connections are made of once the handshake is through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Whom we connect to and by which files.
#[derive(Clone, Debug)]
pub(crate) struct TlsPeer {
    pub(crate) files: TlsFiles,
    /// The trunk's host, which the certificate must name unless the files say otherwise.
    pub(crate) host: String,
}

/// Shakes hands as a client. The error is what an operator has to know.
pub(crate) async fn connect(stream: TcpStream, peer: TlsPeer) -> Result<impl Stream, String> {
    let name = peer.files.server_name.clone().unwrap_or_else(|| peer.host.clone());
    let server = match name.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(name.clone()).map_err(|_| format!("`{name}` is no name for a certificate"))?,
    };
    let roots = peer.files.roots.display().to_string();
    let loaded = tokio::task::spawn_blocking(move || client_config(&peer.files)).await;
    let config = loaded.map_err(|error| error.to_string())??;
    TlsConnector::from(Arc::new(config)).connect(server, stream).await.map_err(|error| told(&error, &name, &roots))
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(&files.roots)?);
    match (&files.certificate, &files.private_key) {
        (Some(certificate), Some(key)) => {
            let pair = builder.with_client_auth_cert(chain(certificate)?, private_key(key)?);
            pair.map_err(|error| format!("{}: {error}", certificate.display()))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    // Bundles of systems hold old certificates that cannot be read; the others count.
    store.add_parsable_certificates(chain(path)?);
    if store.is_empty() { Err(format!("{}: no root in it can be used", path.display())) } else { Ok(store) }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.map_err(|error| format!("{}: {error}", path.display()))?;
    if chain.is_empty() { Err(format!("{}: there is no certificate in it", path.display())) } else { Ok(chain) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A failed handshake in words that name the remedy.
fn told(error: &io::Error, name: &str, roots: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            format!("TLS: the carrier's certificate is signed by none of the roots in {roots}")
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!("TLS: the carrier's certificate is not for {name}"),
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "TLS: the carrier's certificate has expired".to_owned()
        }
        _ => format!("TLS: {error}"),
    }
}

/// Shakes hands as a server, with the files as they are at that moment.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listen: TlsListen,
    loaded: Mutex<(Stamp, Arc<ServerConfig>)>,
}

/// When the files were changed last.
type Stamp = [Option<SystemTime>; 3];

impl Acceptor {
    pub(crate) fn load(listen: &TlsListen) -> Result<Self, String> {
        let loaded = (stamp(listen), Arc::new(server_config(listen)?));
        Ok(Self(Arc::new(Inner { listen: listen.clone(), loaded: Mutex::new(loaded) })))
    }

    pub(crate) async fn accept(self, stream: TcpStream) -> Result<impl Stream, String> {
        let config = tokio::task::spawn_blocking(move || self.current()).await.map_err(|error| error.to_string())?;
        TlsAcceptor::from(config).accept(stream).await.map_err(|error| error.to_string())
    }

    /// Bad files leave the old certificate in force.
    fn current(&self) -> Arc<ServerConfig> {
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamp(&self.0.listen);
        if found != loaded.0 {
            loaded.0 = found;
            match server_config(&self.0.listen) {
                Ok(config) => {
                    loaded.1 = Arc::new(config);
                    tracing::info!("the SIP certificate was loaded again");
                }
                Err(error) => tracing::error!(error, "the new SIP certificate is not used"),
            }
        }
        loaded.1.clone()
    }
}

fn stamp(listen: &TlsListen) -> Stamp {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let client_roots = listen.client_roots.as_deref().and_then(changed);
    [changed(&listen.certificate), changed(&listen.private_key), client_roots]
}

fn server_config(listen: &TlsListen) -> Result<ServerConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &listen.client_roots {
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", path.display()))?)
        }
        None => builder.with_no_client_auth(),
    };
    let pair = builder.with_single_cert(chain(&listen.certificate)?, private_key(&listen.private_key)?);
    pair.map_err(|error| format!("{}: {error}", listen.certificate.display()))
}
