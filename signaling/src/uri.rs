//! SIP and telephone URIs (RFC 3261 §19.1, RFC 3966), read tolerantly and without any assumption about length or content.

use std::net::IpAddr;

/// What kind of URI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    Other,
}

/// A URI taken apart. Texts are as written, except that IPv6 hosts lose their brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    pub scheme: Scheme,
    /// Without password; still percent-encoded. For `tel:` the number.
    pub user: Option<String>,
    /// Empty for `tel:` and foreign schemes.
    pub host: String,
    pub port: Option<u16>,
    pub params: Vec<(String, Option<String>)>,
}

impl Uri {
    /// Reads a URI; `None` when it has no scheme, or a SIP URI has no proper host.
    pub fn parse(text: &str) -> Option<Self> {
        let Parts { scheme, user, host, port, params } = Parts::of(text)?;
        let user = user.map(str::to_owned);
        Some(Self { scheme, user, host: host.to_owned(), port, params: params_of(params) })
    }

    /// Whether [`parse`](Self::parse) can read it.
    pub fn is_one(text: &str) -> bool {
        Parts::of(text).is_some()
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref())
    }

    /// The host as an address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The user part with percent-escapes resolved; invalid escapes stay as they are.
    pub fn decoded_user(&self) -> String {
        self.user.as_deref().map(percent_decoded).unwrap_or_default()
    }
}

/// The same, as it stands in the text.
struct Parts<'a> {
    scheme: Scheme,
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(':')?;
        let is = |word: &str| scheme.eq_ignore_ascii_case(word);
        let none = Self { scheme: Scheme::Other, user: None, host: "", port: None, params: "" };
        if is("sip") {
            Self { scheme: Scheme::Sip, ..none }.with_place(rest)
        } else if is("sips") {
            Self { scheme: Scheme::Sips, ..none }.with_place(rest)
        } else if is("tel") {
            let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
            let dialable = |c: char| c.is_ascii_hexdigit() || "+*#-.()".contains(c);
            let good = !number.is_empty() && number.chars().all(dialable);
            good.then_some(Self { scheme: Scheme::Tel, user: Some(number), params, ..none })
        } else {
            crate::message::is_token(scheme).then_some(none)
        }
    }

    fn with_place(self, rest: &'a str) -> Option<Self> {
        // The user part may hold ';' and '?', never '@' (RFC 3261 §25.1), so the last '@' before any header ends it.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let user = userinfo.map(|info| info.split_once(':').map_or(info, |(user, _)| user));
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let (hostport, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port(hostport)?;
        Some(Self { user, host, port, params, ..self })
    }
}

/// Host and port; IPv6 in brackets. A port of 0 or above 65535 is an error.
pub fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, if tail.trim().is_empty() { None } else { Some(tail.trim_start().strip_prefix(':')?) })
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let host = host.trim_end();
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || !host.chars().all(named) {
            return None;
        }
        (host, port)
    };
    let port = match port.map(str::trim) {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
    };
    Some((host, port))
}

/// `name=value` pairs between semicolons.
pub fn params_of(text: &str) -> Vec<(String, Option<String>)> {
    text.split(';')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(|param| match param.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
            None => (param.to_owned(), None),
        })
        .collect()
}

/// A user part as it may stand in a URI: everything outside the unreserved set is escaped.
pub fn percent_encoded(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A header's value as it may stand behind the question mark of a URI (RFC 3261 §25.1, hvalue).
pub fn escaped_header(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                plain.push(value);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A host for a URI or Via: IPv6 gets its brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap_or_else(|| panic!("{text} is a URI"))
    }

    #[test]
    fn sip_uris() {
        let parsed = uri("sip:+19165550100:pw@[2001:db8::7]:5070;transport=tcp;lr?Subject=x");
        assert_eq!(parsed.user.as_deref(), Some("+19165550100"));
        assert_eq!((parsed.host.as_str(), parsed.port), ("2001:db8::7", Some(5070)));
        assert_eq!(parsed.param("LR"), Some(None));
        assert_eq!(parsed.param("transport"), Some(Some("tcp")));
        assert_eq!(uri("SIP:example.gov").user, None);
        assert_eq!(uri("sip:%61lice%2@h").decoded_user(), "alice%2");
        assert_eq!(uri("sip:user;par=u%40example.net@example.com").user.as_deref(), Some("user;par=u%40example.net"));
    }

    #[test]
    fn telephone_uris() {
        let parsed = uri("tel:+1-916-555-0100;ext=22");
        assert_eq!((parsed.scheme, parsed.user.as_deref()), (Scheme::Tel, Some("+1-916-555-0100")));
        assert_eq!(parsed.param("ext"), Some(Some("22")));
        assert_eq!(Uri::parse("tel:"), None);
        assert_eq!(Uri::parse("tel:alice"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "sip:", "sip:@", "sip:a@[::1", "sip:a@h:0", "sip:a@h:99999", "sip:a@h:x", "sip:a b@h i", "host"]
        {
            assert_eq!(Uri::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn users_are_escaped() {
        assert_eq!(percent_encoded("+1916#;a@b"), "+1916%23%3Ba%40b");
        assert_eq!(percent_decoded("%23%é"), "#%é");
    }
}
