//! Keys that a portal signs with, as the file names them, and as administrators bring them in.

use std::ops::Range;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use toml::Spanned;

use super::{
    check::Check,
    tenant::{PortalAlgorithm, PortalKeyTable},
};
use crate::{
    fetch,
    jws::{self, Key, NamedKey},
};

/// Least length of an HS256 secret, in bytes (RFC 7518, section 3.2).
const MIN_SECRET: usize = 32;

/// A public key (P-256 or Ed25519) of a PEM text (SubjectPublicKeyInfo).
fn of_pem(text: &str) -> Option<Key> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
    jws::ed25519_key(&der).map(Key::EdDsa).or_else(|| jws::p256_point(&der).map(Key::Es256))
}

/// The public keys of a PEM text or of a JWK Set; none where it holds no key a portal may sign with.
pub fn public_keys(text: &str) -> Vec<NamedKey> {
    let usable = |known: &NamedKey| matches!(known.key, Key::Es256(_) | Key::EdDsa(_));
    match text.trim_start().starts_with('{') {
        true => jws::key_set(text.as_bytes()).unwrap_or_default().into_iter().filter(usable).collect(),
        false => of_pem(text).map(NamedKey::from).into_iter().collect(),
    }
}

impl Check<'_> {
    pub(super) fn portal_key(&mut self, table: &PortalKeyTable) -> Vec<NamedKey> {
        let one = |key: Option<Key>| key.map(NamedKey::from).into_iter().collect();
        match (table.alg, &table.secret, &table.secret_file, &table.public_key_file, &table.jwks_file) {
            (PortalAlgorithm::Hs256, Some(secret), None, None, None) => {
                one(self.hs256(secret.get_ref().reveal().to_owned(), secret.span()))
            }
            (PortalAlgorithm::Hs256, None, Some(path), None, None) => {
                let text = self.secret_file(path);
                one(text.and_then(|text| self.hs256(text, path.span())))
            }
            (PortalAlgorithm::Es256 | PortalAlgorithm::EdDsa, None, None, Some(path), None) => {
                one(self.public_key(table.alg, path))
            }
            (PortalAlgorithm::Es256 | PortalAlgorithm::EdDsa, None, None, None, Some(path)) => {
                self.jwks_file(table.alg, path)
            }
            (PortalAlgorithm::Es256 | PortalAlgorithm::EdDsa, None, None, None, None) if table.jwks_url.is_some() => {
                let url = table.jwks_url.as_ref();
                if let Some(url) = url.filter(|url| !fetch::is_address(url.get_ref())) {
                    self.says(url.span(), "must be an https address (http only on this machine)");
                }
                Vec::new()
            }
            _ => {
                let needs = "HS256 needs secret or secret_file, ES256 and EdDSA public_key_file, jwks_file or jwks_url";
                self.about("tenant.portal_key", needs);
                Vec::new()
            }
        }
    }

    fn public_key(&mut self, alg: PortalAlgorithm, path: &Spanned<std::path::PathBuf>) -> Option<Key> {
        let text = self.secret_file(path)?;
        let (fits, kind): (fn(&Key) -> bool, _) = match alg {
            PortalAlgorithm::EdDsa => (|key| matches!(key, Key::EdDsa(_)), "Ed25519"),
            _ => (|key| matches!(key, Key::Es256(_)), "P-256"),
        };
        let key = of_pem(&text).filter(fits);
        if key.is_none() {
            self.says(path.span(), format!("is not the PEM of a {kind} public key"));
        }
        key
    }

    fn jwks_file(&mut self, alg: PortalAlgorithm, path: &Spanned<std::path::PathBuf>) -> Vec<NamedKey> {
        let Some(text) = self.secret_file(path) else { return Vec::new() };
        let keys = jws::key_set(text.as_bytes()).unwrap_or_default();
        let fits = |named: &NamedKey| match named.key {
            Key::Es256(_) => alg == PortalAlgorithm::Es256,
            Key::EdDsa(_) => alg == PortalAlgorithm::EdDsa,
            _ => false,
        };
        let keys: Vec<_> = keys.into_iter().filter(fits).collect();
        if keys.is_empty() {
            self.says(path.span(), "is not a JWK Set with a signing key of this alg");
        }
        keys
    }

    fn hs256(&mut self, text: String, span: Range<usize>) -> Option<Key> {
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().filter(|bytes| bytes.len() >= MIN_SECRET);
        let bytes = bytes.unwrap_or_else(|| text.into_bytes());
        if bytes.len() < MIN_SECRET {
            self.says(span, format!("an HS256 secret has at least {MIN_SECRET} bytes"));
            return None;
        }
        Some(Key::Hs256(bytes))
    }
}
