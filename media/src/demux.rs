//! Which browser a datagram of the shared port belongs to. Only an address from which a STUN check with the
//! right MESSAGE-INTEGRITY came is let through to DTLS and SRTP; everything else is dropped here, so that a
//! stranger's ClientHello can neither start nor disturb a handshake.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::stun::{self, Stun};

/// Index of a leg on its media thread.
pub(crate) type Slot = usize;

/// What to do with a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A genuine ICE check, or STUN from a validated address.
    Stun { slot: Slot, genuine: bool, nominates: bool },
    /// DTLS from a validated address.
    Dtls(Slot),
    /// SRTP or SRTCP from a validated address.
    Media(Slot),
    /// Not from anybody we know, or forged.
    Drop,
}

/// Table of browsers and their validated addresses.
#[derive(Debug)]
pub(crate) struct Demux {
    by_ufrag: HashMap<String, Slot>,
    by_address: HashMap<SocketAddr, Slot>,
    browsers: HashMap<Slot, Browser>,
    addresses_per_browser: usize,
}

#[derive(Debug)]
struct Browser {
    ufrag: String,
    password: String,
    addresses: VecDeque<SocketAddr>,
}

impl Demux {
    pub(crate) fn new(addresses_per_browser: usize) -> Self {
        Demux {
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            browsers: HashMap::new(),
            addresses_per_browser: addresses_per_browser.max(1),
        }
    }

    /// Adds a browser by its ICE credentials, replacing the ones that `slot` had; validated addresses are forgotten.
    pub(crate) fn insert(&mut self, slot: Slot, ufrag: String, password: String) {
        self.remove(slot);
        self.by_ufrag.insert(ufrag.clone(), slot);
        self.browsers.insert(slot, Browser { ufrag, password, addresses: VecDeque::new() });
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        let Some(browser) = self.browsers.remove(&slot) else { return };
        self.by_ufrag.remove(&browser.ufrag);
        for address in browser.addresses {
            if self.by_address.get(&address) == Some(&slot) {
                self.by_address.remove(&address);
            }
        }
    }

    /// Classifies by the first byte (RFC 7983) and by who sent it.
    pub(crate) fn route(&mut self, from: SocketAddr, datagram: &[u8]) -> Route {
        let known = self.by_address.get(&from).copied();
        match (datagram.first(), known) {
            (Some(0..=3), _) => self.route_stun(from, known, datagram),
            (Some(20..=63), Some(slot)) => Route::Dtls(slot),
            (Some(128..=191), Some(slot)) => Route::Media(slot),
            _ => Route::Drop,
        }
    }

    fn route_stun(&mut self, from: SocketAddr, known: Option<Slot>, datagram: &[u8]) -> Route {
        match stun::parse(datagram) {
            Stun::Check(check) => {
                let Some(&slot) = self.by_ufrag.get(check.local_ufrag) else { return Route::Drop };
                let genuine = self.browsers.get(&slot).is_some_and(|browser| check.is_genuine(&browser.password));
                if !genuine {
                    return Route::Drop;
                }
                if known != Some(slot) {
                    self.admit(slot, from);
                }
                Route::Stun { slot, genuine: true, nominates: check.nominates }
            }
            Stun::Other => known.map_or(Route::Drop, |slot| Route::Stun { slot, genuine: false, nominates: false }),
            Stun::Malformed => Route::Drop,
        }
    }

    fn admit(&mut self, slot: Slot, address: SocketAddr) {
        if let Some(other) = self.by_address.insert(address, slot)
            && let Some(browser) = self.browsers.get_mut(&other)
        {
            browser.addresses.retain(|known| *known != address);
        }
        let Some(browser) = self.browsers.get_mut(&slot) else { return };
        browser.addresses.push_back(address);
        if browser.addresses.len() > self.addresses_per_browser
            && let Some(oldest) = browser.addresses.pop_front()
        {
            self.by_address.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stun::tests::request;
    use proptest::prelude::*;

    const CLIENT_HELLO: [u8; 14] = [22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    const MEDIA: [u8; 12] = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn demux() -> Demux {
        let mut demux = Demux::new(2);
        demux.insert(0, "alice".into(), "alicespassword".into());
        demux.insert(1, "bob".into(), "bobspassword".into());
        demux
    }

    #[test]
    fn dtls_and_media_need_a_passed_check_first() {
        let mut demux = demux();
        assert_eq!(demux.route(address(1), &CLIENT_HELLO), Route::Drop);
        assert_eq!(demux.route(address(1), &MEDIA), Route::Drop);
        let forged = request("alice:x", "bobspassword", true);
        assert_eq!(demux.route(address(1), &forged), Route::Drop);
        assert_eq!(demux.route(address(1), &CLIENT_HELLO), Route::Drop, "a forged check opens nothing");
        let genuine = request("alice:x", "alicespassword", true);
        assert_eq!(demux.route(address(1), &genuine), Route::Stun { slot: 0, genuine: true, nominates: true });
        assert_eq!(demux.route(address(1), &CLIENT_HELLO), Route::Dtls(0));
        assert_eq!(demux.route(address(1), &MEDIA), Route::Media(0));
        assert_eq!(demux.route(address(2), &CLIENT_HELLO), Route::Drop);
    }

    #[test]
    fn an_address_follows_the_last_genuine_check() {
        let mut demux = demux();
        demux.route(address(1), &request("alice:x", "alicespassword", false));
        demux.route(address(1), &request("bob:x", "bobspassword", false));
        assert_eq!(demux.route(address(1), &MEDIA), Route::Media(1));
        demux.remove(0);
        assert_eq!(demux.route(address(1), &MEDIA), Route::Media(1));
        demux.remove(1);
        assert_eq!(demux.route(address(1), &MEDIA), Route::Drop);
    }

    #[test]
    fn addresses_of_one_browser_are_bounded() {
        let mut demux = demux();
        for port in 1..=5 {
            demux.route(address(port), &request("alice:x", "alicespassword", false));
        }
        assert_eq!(demux.by_address.len(), 2);
        assert_eq!(demux.route(address(5), &MEDIA), Route::Media(0));
        assert_eq!(demux.route(address(1), &MEDIA), Route::Drop);
    }

    #[test]
    fn new_credentials_close_the_old_addresses() {
        let mut demux = demux();
        demux.route(address(1), &request("alice:x", "alicespassword", false));
        demux.insert(0, "alice2".into(), "other".into());
        assert_eq!(demux.route(address(1), &MEDIA), Route::Drop);
        assert_eq!(demux.route(address(1), &request("alice:x", "alicespassword", false)), Route::Drop);
    }

    proptest! {
        #[test]
        fn strangers_never_get_through(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(demux().route(address(1), &bytes), Route::Drop);
        }
    }
}
