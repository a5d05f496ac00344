//! Passwords: argon2id digests (RFC 9106, second recommended option: 19 MiB, 2 passes, 1 lane), checked in the same time
//! whether the user exists or not.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version, password_hash::SaltString,
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

fn argon() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// PHC string of the password with a fresh salt. Takes tens of milliseconds: call it from a blocking thread.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > MAX_PASSWORD {
        return Err(PasswordError::Length);
    }
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| PasswordError::Hash)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordError::Hash)?;
    let hash = argon()?.hash_password(password.as_bytes(), &salt).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of `stored`; with nobody's digest (`None`) the same work is done and the answer is no.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    if password.len() > MAX_PASSWORD {
        return false;
    }
    let known = stored.and_then(|text| PasswordHash::new(text).ok());
    match known {
        Some(hash) => argon().is_ok_and(|argon| argon.verify_password(password.as_bytes(), &hash).is_ok()),
        None => {
            let _ = hash(if password.is_empty() { "-" } else { password });
            false
        }
    }
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
