//! A certificate authority for one test.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

static SERIAL: AtomicU32 = AtomicU32::new(1);

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: tempfile::TempDir,
}

/// A certificate and its key, both PEM files.
pub struct Pair {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be taken for one with a bad signature.
        let name = format!("Authority {}", SERIAL.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        Self { issuer: Issuer::new(params, key), pem, folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root itself, as a file.
    pub fn root(&self) -> PathBuf {
        let path = self.folder().join("root.pem");
        fs::write(&path, &self.pem).expect("written");
        path
    }

    /// A certificate for a host name or address.
    pub fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        let file = |kind: &str| self.folder().join(format!("{name}.{kind}.pem"));
        let pair = Pair { certificate: file("certificate"), private_key: file("key") };
        fs::write(&pair.certificate, signed.pem()).expect("written");
        fs::write(&pair.private_key, key.serialize_pem()).expect("written");
        pair
    }
}
