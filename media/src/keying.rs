//! The keys of a browser's media, as its DTLS handshake exports them (RFC 5764 §4.2).
//!
//! The WebRTC library can open and seal SRTP itself, but takes each packet through all its layers, which costs several times what
//! the cipher does. It does not hand out the keys; it computes them with the cryptography that we give it. So each
//! connection gets a provider of its own that passes everything on and remembers the exporter's output.
//! docs/decisions/0013 tells why.

use std::sync::{Arc, Mutex, PoisonError};

use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher, CryptoAlgorithm,
    CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey, RTCCrypto, RTCCryptoProvider,
    RTCRandom, SecretVec, SignatureScheme, SigningKey, StreamCipher, StreamCipherAlgorithm,
};

use crate::sdes::{Agreed, Crypto, Suite};

/// With this the exporter's seed begins (RFC 5764 §4.2); the handshake's own labels are others.
const LABEL: &[u8] = b"EXTRACTOR-dtls_srtp";
/// Two master keys of 16 octets and two salts of 14 at most, in whole blocks of SHA-256.
const MATERIAL: usize = 64;

/// What the handshake has exported so far.
#[derive(Default)]
struct Seen {
    material: Vec<u8>,
    suite: Option<Suite>,
}

/// A provider of cryptography that remembers what one connection exports.
pub(crate) struct Keying {
    inner: Arc<dyn RTCCryptoProvider>,
    seen: Arc<Mutex<Seen>>,
}

impl Keying {
    pub(crate) fn new(inner: Arc<dyn RTCCryptoProvider>) -> Keying {
        Keying { inner, seen: Arc::default() }
    }

    /// The keys, once: we are the DTLS server. `None` before the handshake is done, or when nothing usable was agreed.
    pub(crate) fn take(&self) -> Option<Agreed> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let suite = seen.suite.take()?;
        let material = SecretVec::new(std::mem::take(&mut seen.material));
        agreed(suite, material.as_ref())
    }

    /// The first cipher that the library makes after the export is that of the media.
    fn made(&self, suite: Suite) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.material.len() == MATERIAL && seen.suite.is_none() {
            seen.suite = Some(suite);
        }
    }
}

/// Client's key, server's key, client's salt, server's salt (RFC 5764 §4.2).
fn agreed(suite: Suite, material: &[u8]) -> Option<Agreed> {
    let salt = suite.material() - Suite::KEY;
    let (keys, salts) = material.get(..2 * suite.material())?.split_at(2 * Suite::KEY);
    let (theirs, ours) = keys.split_at(Suite::KEY);
    let (their_salt, our_salt) = salts.split_at(salt);
    Some(Agreed { ours: Crypto::of(suite, ours, our_salt), theirs: Crypto::of(suite, theirs, their_salt) })
}

/// An HMAC that notes the blocks of the exporter.
struct Noting {
    inner: Box<dyn Mac>,
    seen: Arc<Mutex<Seen>>,
}

impl Mac for Noting {
    fn output_len(&self) -> usize {
        self.inner.output_len()
    }

    fn sign(&mut self, input: &[&[u8]], output: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.sign(input, output)?;
        // P_hash (RFC 5246 §5): a block of output is the HMAC over A(i) and the seed.
        if let [_, seed] = input
            && seed.starts_with(LABEL)
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.material.len() + output.len() <= MATERIAL {
                seen.material.extend_from_slice(output);
            }
        }
        Ok(())
    }

    fn verify(&mut self, input: &[&[u8]], expected: &[u8]) -> Result<(), CryptoError> {
        self.inner.verify(input, expected)
    }
}

impl RTCCryptoProvider for Keying {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self
    }

    fn random(&self) -> &dyn RTCRandom {
        self.inner.random()
    }
}

impl RTCCrypto for Keying {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        self.inner.crypto().supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.crypto().hash(algorithm, data)
    }

    fn block_encrypt(&self, algorithm: BlockCipherAlgorithm, key: &[u8], block: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.crypto().block_encrypt(algorithm, key, block)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        let inner = self.inner.crypto().new_hmac(algorithm, key)?;
        match algorithm {
            HmacAlgorithm::Sha256 => Ok(Box::new(Noting { inner, seen: Arc::clone(&self.seen) })),
            _ => Ok(inner),
        }
    }

    fn new_stream_cipher(
        &self,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn StreamCipher>, CryptoError> {
        self.made(Suite::AesCm80);
        self.inner.crypto().new_stream_cipher(algorithm, key)
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        self.made(Suite::AesGcm);
        self.inner.crypto().new_aead(algorithm, key)
    }

    fn new_cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.inner.crypto().new_cbc(algorithm, key)
    }

    fn start_key_exchange(&self, algorithm: KeyExchangeAlgorithm) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.inner.crypto().start_key_exchange(algorithm)
    }

    fn generate_signing_key(&self, scheme: SignatureScheme) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().generate_signing_key(scheme)
    }

    fn import_signing_key(
        &self,
        scheme: SignatureScheme,
        pkcs8_der: &[u8],
    ) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().import_signing_key(scheme, pkcs8_der)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        public_key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.inner.crypto().verify_signature(scheme, public_key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::crypto::default_provider;

    /// The exporter as the library runs it: two blocks, each over A(i) and the seed.
    fn export(keying: &Keying, label: &[u8]) -> Vec<u8> {
        let mut seed = label.to_vec();
        seed.extend([7; 64]);
        let (mut last, mut out) = (seed.clone(), Vec::new());
        for _ in 0..2 {
            let mut next = vec![0; 32];
            keying.new_hmac(HmacAlgorithm::Sha256, b"master").unwrap().sign(&[&last], &mut next).unwrap();
            let mut block = [0; 32];
            keying.new_hmac(HmacAlgorithm::Sha256, b"master").unwrap().sign(&[&next, &seed], &mut block).unwrap();
            out.extend(block);
            last = next;
        }
        out
    }

    fn keying() -> Keying {
        Keying::new(default_provider().unwrap())
    }

    #[test]
    fn what_is_exported_is_split_as_the_standard_says() {
        let keying = keying();
        let _ = export(&keying, b"key expansion");
        let _ = keying.new_aead(AeadAlgorithm::Aes128Gcm, &[1; 16]).unwrap();
        assert!(keying.take().is_none(), "the handshake's own keys are none of the media's");
        let material = export(&keying, LABEL);
        assert!(keying.take().is_none(), "no cipher is known yet");
        let _ = keying.new_aead(AeadAlgorithm::Aes128Gcm, &[1; 16]).unwrap();
        let agreed = keying.take().unwrap();
        assert_eq!((agreed.theirs.key(), agreed.ours.key()), (&material[..16], &material[16..32]));
        assert_eq!((agreed.theirs.salt(), agreed.ours.salt()), (&material[32..44], &material[44..56]));
        assert!(keying.take().is_none(), "they are taken once");
    }

    #[test]
    fn counter_mode_has_longer_salts() {
        let keying = keying();
        let material = export(&keying, LABEL);
        let _ = keying.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &[1; 16]);
        let agreed = keying.take().unwrap();
        assert_eq!(agreed.ours.suite, Suite::AesCm80);
        assert_eq!((agreed.theirs.salt(), agreed.ours.salt()), (&material[32..46], &material[46..60]));
    }
}
