//! Where messages may go: public addresses, and of the others those that the operator names. The name is looked up once and
//! the address that was judged is the one that is spoken to, so that a name which changes its mind leads nowhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringback_engine::parts::IpNet;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("not an https address")]
    NotHttps,
    #[error("the name leads nowhere")]
    Unknown,
    #[error("the address is not a public one")]
    NotPublic,
}

/// Who is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    /// Bare, as certificates name it.
    pub host: String,
    pub tls: bool,
}

/// The receiver's address, looked up now. Without TLS only ranges that the operator named are spoken to.
pub async fn target(url: &str, named: &[IpNet]) -> Result<Target, AddressError> {
    let (tls, host, port) = parts(url).ok_or(AddressError::NotHttps)?;
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match tokio::net::lookup_host((host.as_str(), port)).await {
            Ok(found) => found.collect(),
            Err(_) => return Err(AddressError::Unknown),
        },
    };
    if found.is_empty() {
        return Err(AddressError::Unknown);
    }
    let allowed = |address: &&SocketAddr| may_reach(address.ip(), tls, named);
    let address = found.iter().find(allowed).copied().ok_or(AddressError::NotPublic)?;
    Ok(Target { address, host, tls })
}

/// Whether it can be an address of a receiver at all, by its text alone.
pub fn fault(url: &str, named: &[IpNet]) -> Option<AddressError> {
    let Some((tls, host, _)) = parts(url) else { return Some(AddressError::NotHttps) };
    if !tls && named.is_empty() {
        return Some(AddressError::NotHttps);
    }
    match host.parse::<IpAddr>() {
        Ok(address) if !may_reach(address, tls, named) => Some(AddressError::NotPublic),
        _ => None,
    }
}

fn parts(url: &str) -> Option<(bool, String, u16)> {
    let uri: axum::http::Uri = url.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    // Credentials in an address would be logged and shown.
    let authority = uri.authority()?.as_str();
    if authority.contains('@') {
        return None;
    }
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    Some((tls, host, uri.port_u16().unwrap_or(if tls { 443 } else { 80 })))
}

fn may_reach(address: IpAddr, tls: bool, named: &[IpNet]) -> bool {
    named.iter().any(|range| range.contains(address)) || (tls && is_public(address))
}

/// Of the open internet (IANA special-purpose registries, RFC 6890): nothing of this machine, this network, or translated
/// into one.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        // Shared by carriers (RFC 6598), protocol assignments, benchmarks (RFC 2544), 6to4 relays, reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 88 && c == 99)
        || a >= 240;
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    // Only 2000::/3 is handed out; of it not 6to4 and Teredo, which hide an IPv4 address, nor documentation.
    first & 0xe000 == 0x2000
        && first != 0x2002
        && !(first == 0x2001 && (second == 0 || second == 0xdb8))
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_of_this_machine_or_network_is_reached_unless_named() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "[::7f00:1]",
        ] {
            let url = format!("https://{inside}/hook");
            assert_eq!(target(&url, &[]).await, Err(AddressError::NotPublic), "{inside}");
            assert_eq!(fault(&url, &[]), Some(AddressError::NotPublic), "{inside}");
        }
        for outside in ["203.0.114.1", "8.8.8.8", "[2606:4700::1]"] {
            assert!(target(&format!("https://{outside}/hook"), &[]).await.is_ok(), "{outside}");
        }
        // A name is judged by where it leads.
        assert_eq!(target("https://localhost/hook", &[]).await, Err(AddressError::NotPublic));
        let named = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let found = target("http://localhost:9/hook", &named).await.unwrap();
        assert!(found.address.ip().is_loopback() && !found.tls);
        assert_eq!(
            target("http://8.8.8.8/hook", &named).await,
            Err(AddressError::NotPublic),
            "in the clear only as named"
        );
        for odd in ["ftp://8.8.8.8/", "https://user:word@8.8.8.8/", "/hook", "https://", "http://8.8.8.8/"] {
            assert!(fault(odd, &[]).is_some(), "{odd}");
        }
    }
}
