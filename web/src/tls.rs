//! Certificates from files: read at the start, read again when they change.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use ringback_engine::{Alarm, Alarms};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::sync::watch;

/// How often the files are looked at: often enough for somebody who has just put a new certificate there and waits.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{} cannot be read: {error}", path.display())]
    File { path: PathBuf, error: String },
    #[error("certificate and key do not fit: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Where the certificate chain and its key lie.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

impl CertificateFiles {
    /// What connections from now on are served with.
    pub fn load(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let wrong = |path: &Path, error: String| CertificateError::File { path: path.to_owned(), error };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(&self.certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(&self.certificate, "there is no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.private_key)
            .map_err(|error| wrong(&self.private_key, error.to_string()))?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.private_key].map(|path| fs::metadata(path).and_then(|data| data.modified()).ok())
    }

    /// Loads again when a file has changed or `now` ticks. A bad file raises an alarm and leaves the old certificate in
    /// force; it is tried again at every look, for a pair is often written one file after the other.
    pub async fn keep_fresh(
        self,
        current: watch::Sender<Arc<ServerConfig>>,
        now: watch::Receiver<u64>,
        alarms: Arc<Alarms>,
    ) {
        self.look(LOOK_EVERY, current, now, alarms).await;
    }

    async fn look(
        self,
        every: Duration,
        current: watch::Sender<Arc<ServerConfig>>,
        mut now: watch::Receiver<u64>,
        alarms: Arc<Alarms>,
    ) {
        let mut seen = self.changed_at();
        let mut refused = false;
        loop {
            let asked = tokio::select! {
                ticked = now.changed() => {
                    if ticked.is_err() {
                        return;
                    }
                    true
                }
                _ = tokio::time::sleep(every) => false,
            };
            let found = self.changed_at();
            if !asked && !refused && found == seen {
                continue;
            }
            seen = found;
            match self.load() {
                Ok(config) => {
                    current.send_replace(config);
                    alarms.clear(Alarm::CertificateRefused);
                    tracing::info!("the certificate was loaded again");
                    refused = false;
                }
                Err(error) => {
                    alarms.raise(Alarm::CertificateRefused, format!("{error}; the one from before stays in force"));
                    refused = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn write_pair(files: &CertificateFiles) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.certificate, pair.cert.pem()).unwrap();
        fs::write(&files.private_key, pair.signing_key.serialize_pem()).unwrap();
    }

    fn folder() -> (tempfile::TempDir, CertificateFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("cert.pem"),
            private_key: folder.path().join("key.pem"),
        };
        (folder, files)
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (_folder, files) = folder();
        assert!(files.load().unwrap_err().to_string().contains("cert.pem"));
        write_pair(&files);
        assert!(files.load().is_ok());
        fs::write(&files.private_key, "no key").unwrap();
        assert!(files.load().unwrap_err().to_string().contains("key.pem"));
        let (_other_folder, other) = self::folder();
        write_pair(&other);
        fs::copy(&other.private_key, &files.private_key).unwrap();
        assert!(matches!(files.load(), Err(CertificateError::Unusable(_))), "another certificate's key");
        fs::write(&files.certificate, "").unwrap();
        assert!(files.load().unwrap_err().to_string().contains("no certificate"));
    }

    #[tokio::test]
    async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
        let (_folder, files) = folder();
        write_pair(&files);
        let (current, mut config) = watch::channel(files.load().unwrap());
        let first = config.borrow_and_update().clone();
        let (tick, ticks) = watch::channel(0);
        let alarms = Arc::new(Alarms::default());
        tokio::spawn(files.clone().keep_fresh(current, ticks, alarms.clone()));
        write_pair(&files);
        tick.send_replace(1);
        timeout(PATIENCE, config.changed()).await.unwrap().unwrap();
        let second = config.borrow_and_update().clone();
        assert!(!Arc::ptr_eq(&first, &second));
        fs::write(&files.certificate, "broken").unwrap();
        tick.send_replace(2);
        assert!(timeout(Duration::from_millis(300), config.changed()).await.is_err());
        assert!(Arc::ptr_eq(&second, &config.borrow()));
        let [(alarm, why)] = &alarms.raised()[..] else { panic!("one alarm") };
        assert_eq!(*alarm, Alarm::CertificateRefused);
        assert!(why.contains("cert.pem"), "{why}");
        write_pair(&files);
        tick.send_replace(3);
        timeout(PATIENCE, config.changed()).await.unwrap().unwrap();
        assert!(alarms.raised().is_empty());
    }

    #[tokio::test]
    async fn a_pair_that_was_half_written_is_taken_at_a_later_look() {
        let (_folder, files) = folder();
        write_pair(&files);
        let (current, mut config) = watch::channel(files.load().unwrap());
        config.borrow_and_update();
        let good = fs::read_to_string(&files.certificate).unwrap();
        let (_tick, ticks) = watch::channel(0);
        let alarms = Arc::new(Alarms::default());
        tokio::spawn(files.clone().look(Duration::from_millis(20), current, ticks, alarms.clone()));
        // It remembers the files as they are now.
        tokio::time::sleep(Duration::from_millis(10)).await;
        fs::write(&files.certificate, &good[..40]).unwrap();
        let raised = async {
            while alarms.raised().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, raised).await.unwrap();
        fs::write(&files.certificate, good).unwrap();
        timeout(PATIENCE, config.changed()).await.unwrap().unwrap();
        assert!(alarms.raised().is_empty());
    }
}
