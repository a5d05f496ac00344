//! Passwords: argon2id digests (RFC 9106, second recommended option: 19 MiB, 2 passes, 1 lane), checked in the same time
//! whether the user exists or not.

use std::sync::Mutex;

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, PasswordHasher, Version,
    password_hash::{Output, SaltString},
};

/// Longest password looked at, in bytes: hashing cost must not be the attacker's choice.
pub const MAX_PASSWORD: usize = 256;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is empty or longer than {MAX_PASSWORD} bytes")]
    Length,
    #[error("the password could not be hashed")]
    Hash,
}

fn params() -> Result<Params, PasswordError> {
    Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| PasswordError::Hash)
}

/// PHC string of the password with a fresh salt. Takes tens of milliseconds: call it from a blocking thread.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > MAX_PASSWORD {
        return Err(PasswordError::Length);
    }
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| PasswordError::Hash)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordError::Hash)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params()?);
    let hash = argon.hash_password(password.as_bytes(), &salt).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of `stored`; with nobody's digest (`None`) the same work is done and the answer is no.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    if password.len() > MAX_PASSWORD {
        return false;
    }
    let known = stored.and_then(|text| PasswordHash::new(text).ok());
    match known {
        Some(hash) => matches(password, &hash).unwrap_or(false),
        None => {
            let _ = params().map(|params| derive(password, &[0; 16], params, Params::DEFAULT_OUTPUT_LEN));
            false
        }
    }
}

fn matches(password: &str, stored: &PasswordHash<'_>) -> Option<bool> {
    if stored.algorithm != Algorithm::Argon2id.ident() {
        return None;
    }
    let (salt, wanted) = (stored.salt?, stored.hash?);
    let mut bytes = [0u8; 64];
    let salt = salt.decode_b64(&mut bytes).ok()?;
    let found = derive(password, salt, Params::try_from(stored).ok()?, wanted.len())?;
    // `Output` compares in constant time.
    Some(Output::new(&found).ok()? == wanted)
}

/// The working memory is kept and used again: the allocator would keep 19 MiB for each thread that ever checked one.
fn derive(password: &str, salt: &[u8], params: Params, length: usize) -> Option<Vec<u8>> {
    static SPARE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());
    let mut memory = SPARE.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default();
    memory.resize(memory.len().max(params.block_count()), Block::default());
    let mut found = vec![0; length];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let done = argon.hash_password_into_with_memory(password.as_bytes(), salt, &mut found, &mut memory);
    if let Ok(mut spare) = SPARE.lock() {
        spare.push(memory);
    }
    done.is_ok().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let stored = hash("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse", Some(&stored)));
        assert!(!verify("correct horsf", Some(&stored)));
        assert!(!verify("correct horse", None));
        assert!(!verify("correct horse", Some("not a digest")));
        assert_ne!(stored, hash("correct horse").unwrap());
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(hash(""), Err(PasswordError::Length));
        assert_eq!(hash(&"x".repeat(257)), Err(PasswordError::Length));
        assert!(!verify(&"x".repeat(100_000), None));
    }
}
