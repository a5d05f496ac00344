//! Secrets that must be told to others again, such as a trunk's password: sealed in the ledger with a key that lies beside
//! it in a file, so that neither a backup nor a reader of the database has them.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{config::ServerConfig, token};

/// What a sealed secret begins with; a plain one of former versions does not.
const MARK: &str = "sealed:1:";
/// Name of the key's file in the data folder.
const FILE: &str = "secrets.key";

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the key of secrets, {0}: {1}")]
    Key(String, String),
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// Another key, or changed since.
    #[error("a secret of the ledger cannot be read with this key")]
    Unreadable,
}

/// AES-256-GCM with a fresh nonce for each secret; what it belongs to is part of the seal, so that one cannot be put in
/// another's place.
pub struct Seal(LessSafeKey);

impl Seal {
    /// With the key of `server.secrets_key_file`, else of the file in the data folder, which is made when it is missing.
    pub fn of(config: &ServerConfig) -> Result<Self, SealError> {
        let server = &config.file.server;
        match &server.secrets_key_file {
            Some(file) => Self::read(file),
            None => {
                let file = server.data_dir.join(FILE);
                if !file.exists() {
                    make(&file)?;
                }
                Self::read(&file)
            }
        }
    }

    fn read(file: &Path) -> Result<Self, SealError> {
        let wrong = |why: &dyn std::fmt::Display| SealError::Key(file.display().to_string(), why.to_string());
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
        let key = UnboundKey::new(&AES_256_GCM, &bytes);
        Ok(Self(LessSafeKey::new(key.map_err(|_| wrong(&"needs 32 bytes in URL-safe base64"))?)))
    }

    /// As it is kept; `owner` names what the secret belongs to.
    pub fn close(&self, owner: &str, secret: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let mut sealed = secret.as_bytes().to_vec();
        let done = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut sealed);
        done.map_err(|_| SealError::Unreadable)?;
        Ok(format!("{MARK}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// What was kept for `owner`.
    pub fn open(&self, owner: &str, kept: &str) -> Result<String, SealError> {
        let open = || {
            let mut bytes = URL_SAFE_NO_PAD.decode(kept.strip_prefix(MARK)?).ok()?;
            let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let secret = self.0.open_in_place(nonce, Aad::from(owner), sealed).ok()?;
            String::from_utf8(secret.to_vec()).ok()
        };
        open().ok_or(SealError::Unreadable)
    }
}

/// Whether it was kept sealed.
pub fn is_sealed(kept: &str) -> bool {
    kept.starts_with(MARK)
}

/// A new key, readable by the server's user alone.
fn make(file: &Path) -> Result<(), SealError> {
    let key = token::random().map_err(|_| SealError::NoRandomness)?;
    let written =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).and_then(|mut out| {
            out.write_all(key.as_bytes())?;
            out.sync_all()
        });
    match written {
        // Another command of the same server was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|error| SealError::Key(file.display().to_string(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_for_its_owner_and_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        make(&one).unwrap();
        make(&other).unwrap();
        let before = std::fs::read(&one).unwrap();
        make(&one).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), before, "a key that is there stays");
        let seal = Seal::read(&one).unwrap();
        let kept = seal.close("line", "known to few").unwrap();
        assert!(is_sealed(&kept) && !kept.contains("few") && !is_sealed("known to few"));
        assert_ne!(kept, seal.close("line", "known to few").unwrap(), "no two look alike");
        assert_eq!(seal.open("line", &kept).unwrap(), "known to few");
        assert!(seal.open("another line", &kept).is_err());
        assert!(Seal::read(&other).unwrap().open("line", &kept).is_err());
        for broken in ["", MARK, "sealed:1:AAAA", "known to few", &kept[..kept.len() - 2]] {
            assert!(seal.open("line", broken).is_err(), "{broken}");
        }
        std::fs::write(&one, "short").unwrap();
        assert!(matches!(Seal::read(&one), Err(SealError::Key(..))));
    }
}
