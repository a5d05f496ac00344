//! Asking another server over HTTPS: small answers, few of them, no redirects. Plain HTTP only on this machine.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Method, Request, Uri, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::webhooks::address::Target;

/// Longest time one question may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer, in bytes: key sets and tokens have a few KiB.
const MAX_ANSWER: usize = 256 * 1024;
/// Where systems keep the certificates they trust.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("`{0}` is not an https address")]
    Address(String),
    #[error("no certificates to trust: {0}")]
    Roots(String),
    #[error("the other server did not answer: {0}")]
    Unreachable(String),
    #[error("the other server said {0}")]
    Status(u16),
}

#[derive(Clone)]
pub struct Fetcher {
    tls: TlsConnector,
}

impl Fetcher {
    /// Trusts the certificates of `roots` (PEM), or those of the system.
    pub fn new(roots: Option<&Path>) -> Result<Self, FetchError> {
        let wrong = |error: &dyn std::fmt::Display| FetchError::Roots(error.to_string());
        let path = roots.or_else(|| SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.is_file()));
        let mut store = RootCertStore::empty();
        if let Some(path) = path {
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                // One that cannot be used is of no use to anybody else either.
                let _ = store.add(certificate.map_err(|error| wrong(&error))?);
            }
        }
        if roots.is_some() && store.is_empty() {
            return Err(FetchError::Roots("the file holds none".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| wrong(&error))?.with_root_certificates(store).with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    pub async fn get(&self, address: &str) -> Result<Vec<u8>, FetchError> {
        self.ask(Method::GET, address, None, String::new()).await
    }

    /// The same from an address that was looked up and judged before.
    pub async fn get_from(&self, address: &str, target: &Target) -> Result<Vec<u8>, FetchError> {
        let uri: Uri = address.parse().map_err(|_| FetchError::Address(address.to_owned()))?;
        let request = request(Method::GET, &uri, None, String::new());
        let request = request.ok_or_else(|| FetchError::Address(address.to_owned()))?;
        let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(error.to_string());
        let answer = async {
            let stream = TcpStream::connect(target.address).await.map_err(|error| unreachable(&error))?;
            self.spoken(stream, target.tls, &target.host, request).await
        };
        tokio::time::timeout(PATIENCE, answer).await.map_err(|error| unreachable(&error))?
    }

    async fn spoken(
        &self,
        stream: TcpStream,
        tls: bool,
        host: &str,
        request: Request<Body>,
    ) -> Result<Vec<u8>, FetchError> {
        if !tls {
            return speak(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Address(host.to_owned()))?;
        let unreachable = |error: std::io::Error| FetchError::Unreachable(error.to_string());
        speak(self.tls.connect(name, stream).await.map_err(unreachable)?, request).await
    }

    /// A form, with the credentials of HTTP Basic if there are any.
    pub async fn post_form(&self, address: &str, basic: Option<&str>, form: String) -> Result<Vec<u8>, FetchError> {
        self.ask(Method::POST, address, basic, form).await
    }

    /// Posts JSON to an address that was looked up and judged before, and gives the status that was answered. No redirect is
    /// followed and nothing of the answer is read.
    pub async fn tell(
        &self,
        url: &str,
        target: &Target,
        headers: &[(&str, &str)],
        body: String,
        patience: Duration,
    ) -> Result<u16, FetchError> {
        let wrong = || FetchError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, uri.authority().ok_or_else(wrong)?.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::USER_AGENT, concat!("Ringback/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).map_err(|_| wrong())?;
        let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(error.to_string());
        let answer = async {
            let stream = TcpStream::connect(target.address).await.map_err(|error| unreachable(&error))?;
            if !target.tls {
                return status_of(stream, request).await;
            }
            let name = ServerName::try_from(target.host.clone()).map_err(|_| wrong())?;
            let stream = self.tls.connect(name, stream).await.map_err(|error| unreachable(&error))?;
            status_of(stream, request).await
        };
        tokio::time::timeout(patience, answer).await.map_err(|error| unreachable(&error))?
    }

    async fn ask(
        &self,
        method: Method,
        address: &str,
        basic: Option<&str>,
        form: String,
    ) -> Result<Vec<u8>, FetchError> {
        let wrong = || FetchError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.to_owned();
        let secure = is_secure(&uri).ok_or_else(wrong)?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let request = request(method, &uri, basic, form).ok_or_else(wrong)?;
        let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(error.to_string());
        let answer = async {
            let bare = host.trim_matches(['[', ']']);
            let stream = TcpStream::connect((bare, port)).await.map_err(|error| unreachable(&error))?;
            self.spoken(stream, secure, bare, request).await
        };
        tokio::time::timeout(PATIENCE, answer).await.map_err(|error| unreachable(&error))?
    }
}

/// Whether TLS is spoken; None: not an address we ask. Without TLS only this machine is asked.
fn is_secure(uri: &Uri) -> Option<bool> {
    match uri.scheme_str()? {
        "https" => Some(true),
        "http" if ["127.0.0.1", "[::1]", "localhost"].contains(&uri.host()?) => Some(false),
        _ => None,
    }
}

/// Whether an address may stand in the configuration.
pub fn is_address(address: &str) -> bool {
    address.parse::<Uri>().is_ok_and(|uri| is_secure(&uri).is_some())
}

fn request(method: Method, uri: &Uri, basic: Option<&str>, form: String) -> Option<Request<Body>> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method.clone())
        .uri(path)
        .header(header::HOST, uri.authority()?.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close");
    if method == Method::POST {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request = request.header(header::CONTENT_LENGTH, form.len());
    }
    if let Some(basic) = basic {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_str(&format!("Basic {basic}")).ok()?);
    }
    request.body(Body::from(form)).ok()
}

async fn status_of<S>(stream: S, request: Request<Body>) -> Result<u16, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    driving.abort();
    Ok(answer.map_err(|error| unreachable(&error))?.status().as_u16())
}

async fn speak<S>(stream: S, request: Request<Body>) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    let driving = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), MAX_ANSWER).await.map_err(|error| unreachable(&error))?;
        if status.is_success() { Ok(body.to_vec()) } else { Err(FetchError::Status(status.as_u16())) }
    };
    let answer = answer.await;
    driving.abort();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        for (address, fits) in [
            ("https://login.example.gov/x", true),
            ("http://127.0.0.1:3000", true),
            ("http://localhost:3000/a?b=c", true),
            ("http://login.example.gov", false),
            ("http://127.0.0.1.evil.example", false),
            ("ftp://127.0.0.1", false),
            ("/relative", false),
        ] {
            assert_eq!(is_address(address), fits, "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_an_error() {
        let fetcher = Fetcher::new(None).unwrap();
        assert!(matches!(fetcher.get("http://127.0.0.1:1/").await, Err(FetchError::Unreachable(_))));
        assert!(matches!(fetcher.get("http://example.gov/").await, Err(FetchError::Address(_))));
    }
}
