//! Dialogs (RFC 3261 §12): who talks to whom, over which route, with which numbers.

use std::{net::IpAddr, net::SocketAddr};

use crate::{
    config::Transport,
    event::{CallKey, DialogState, StoredDialog},
    header::{Essentials, NameAddr, list},
    message::{Method, Request, Response},
    uri::{Scheme, Uri, bracketed},
};

/// Where a message goes to or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// How this side names itself towards a peer: host (IPv6 in brackets) and port for Via and Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    pub host: String,
    pub port: u16,
    /// Contact is a `sips:` URI, as it must be towards a `sips:` target (RFC 3261 §8.1.1.8).
    pub sips: bool,
}

impl Local {
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: bracketed(host), port, sips: false }
    }

    /// A Via with `rport` (RFC 3581).
    pub fn via(&self, transport: Transport, branch: &str) -> String {
        format!("SIP/2.0/{} {}:{};branch={branch};rport", transport.via_word(), self.host, self.port)
    }

    pub fn contact(&self, transport: Transport, user: &str) -> String {
        let (scheme, param) = if self.sips { ("sips", "") } else { ("sip", transport.uri_param()) };
        format!("<{scheme}:{user}@{}:{}{param}>", self.host, self.port)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    /// Absent with peers older than RFC 3261, which send none.
    pub remote_tag: Option<String>,
    /// From and To values without tags.
    pub local_party: String,
    pub remote_party: String,
    pub remote_target: String,
    /// Route values in the order to be sent.
    pub route_set: Vec<String>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    /// Where messages of this dialog go when the route names no address.
    pub peer: Peer,
}

impl Dialog {
    /// The caller's side, from a response with To-tag to its INVITE (§12.1.2).
    pub fn of_response(invite: &Request, response: &Response, essentials: &Essentials, peer: Peer) -> Self {
        let mut route_set: Vec<String> = list(&response.headers, "Record-Route").map(str::to_owned).collect();
        route_set.reverse();
        Self {
            call_id: essentials.call_id.clone(),
            local_tag: essentials.from.tag().unwrap_or_default().to_owned(),
            remote_tag: essentials.to.tag().map(str::to_owned),
            local_party: essentials.from.without_tag(),
            remote_party: essentials.to.without_tag(),
            // A 2xx must carry Contact; without one the called URI is the best guess.
            remote_target: contact_of(&response.headers).unwrap_or_else(|| invite.uri.clone()),
            route_set,
            local_cseq: essentials.cseq.number,
            remote_cseq: None,
            peer,
        }
    }

    /// The called side, from an INVITE (§12.1.1).
    pub fn of_request(request: &Request, essentials: &Essentials, local_tag: String, peer: Peer) -> Self {
        Self {
            call_id: essentials.call_id.clone(),
            local_tag,
            remote_tag: essentials.from.tag().map(str::to_owned),
            local_party: essentials.to.without_tag(),
            remote_party: essentials.from.without_tag(),
            remote_target: contact_of(&request.headers).unwrap_or_else(|| essentials.from.uri.clone()),
            route_set: list(&request.headers, "Record-Route").map(str::to_owned).collect(),
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq.number),
            peer,
        }
    }

    /// Takes over what a 2xx to the INVITE says anew (§13.2.2.4): route set and target.
    pub fn confirm(&mut self, response: &Response) {
        self.route_set = list(&response.headers, "Record-Route").map(str::to_owned).collect();
        self.route_set.reverse();
        self.refresh_target(&response.headers);
    }

    /// A target refresh (§12.2): a new Contact replaces the remote target, the route set stays. True when it changed.
    pub fn refresh_target(&mut self, headers: &crate::message::Headers) -> bool {
        match contact_of(headers) {
            Some(target) if target != self.remote_target => {
                self.remote_target = target;
                true
            }
            _ => false,
        }
    }

    /// A request within the dialog with the next CSeq, without Via and Contact (§12.2.1.1).
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
        self.request_numbered(method, self.local_cseq)
    }

    /// As [`request`](Self::request) with a CSeq given, for ACK.
    pub fn request_numbered(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.routing();
        let mut request = Request::new(method.clone(), uri);
        for route in routes {
            request.headers.push("Route", route);
        }
        request.headers.push("Max-Forwards", "70");
        request.headers.write("From", format_args!("{};tag={}", self.local_party, self.local_tag));
        match &self.remote_tag {
            Some(tag) => request.headers.write("To", format_args!("{};tag={tag}", self.remote_party)),
            None => request.headers.push("To", &self.remote_party),
        }
        request.headers.push("Call-ID", &self.call_id);
        request.headers.write("CSeq", format_args!("{cseq} {method}"));
        request
    }

    /// Request-URI and Route values: loose routing, or strict when the first route lacks `lr`.
    fn routing(&self) -> (String, Vec<String>) {
        let target = without_headers(&self.remote_target);
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route));
        match first.and_then(|first| Uri::parse(&first.uri).map(|uri| (first.uri, uri))) {
            Some((text, uri)) if uri.param("lr").is_none() => {
                let mut routes = self.route_set[1..].to_vec();
                routes.push(format!("<{target}>"));
                (without_headers(&text), routes)
            }
            _ => (target, self.route_set.clone()),
        }
    }

    /// Where the next request goes: the first route, else the remote target, else where the peer was last heard.
    pub fn next_hop(&self) -> Peer {
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route)).map(|route| route.uri);
        peer_of(&first.unwrap_or_else(|| self.remote_target.clone()), self.peer).unwrap_or(self.peer)
    }

    /// Whether a request's CSeq is in order (§12.2.2); ACK and CANCEL are not asked.
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| number > last);
        if in_order {
            self.remote_cseq = Some(number);
        }
        in_order
    }
}

/// The first Contact URI.
fn contact_of(headers: &crate::message::Headers) -> Option<String> {
    let contact = list(headers, "Contact").next().and_then(NameAddr::parse)?;
    Some(contact.uri)
}

/// Header parts of a URI do not go into a Request-URI (§19.1.1).
fn without_headers(uri: &str) -> String {
    match uri.rsplit_once('@') {
        Some((user, rest)) => format!("{user}@{}", rest.split('?').next().unwrap_or(rest)),
        None => uri.split('?').next().unwrap_or(uri).to_owned(),
    }
}

/// The peer a URI names by address. Names are not looked up within a dialog: the peer it came from stands for them.
fn peer_of(uri: &str, known: Peer) -> Option<Peer> {
    let uri = Uri::parse(uri)?;
    let secure = match uri.scheme {
        Scheme::Sip => false,
        Scheme::Sips => true,
        Scheme::Tel | Scheme::Other => return None,
    };
    let address = uri.address().filter(|address| is_reachable(*address, known.address.ip()))?;
    let transport = match uri.param("transport").flatten().map(str::to_ascii_lowercase).as_deref() {
        _ if secure => Transport::Tls,
        None => known.transport,
        Some("udp") => Transport::Udp,
        Some("tcp") => Transport::Tcp,
        Some("tls") => Transport::Tls,
        Some(_) => return None,
    };
    let port = uri.port.unwrap_or(transport.default_port());
    Some(Peer { transport, address: SocketAddr::new(address, port) })
}

/// A peer elsewhere does not get us to send to our own host or to everybody.
fn is_reachable(address: IpAddr, seen_from: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let plain = !address.is_unspecified() && !address.is_multicast() && !broadcast;
    plain && (!address.to_canonical().is_loopback() || seen_from.to_canonical().is_loopback())
}

/// What CANCEL and BYE of a later life need to know besides the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteRecord {
    pub cseq: u32,
    pub branch: String,
    pub uri: String,
}

impl Dialog {
    pub fn stored(
        &self,
        key: CallKey,
        trunk: Option<&str>,
        state: DialogState,
        invite: Option<&InviteRecord>,
    ) -> StoredDialog {
        StoredDialog {
            key,
            trunk: trunk.map(str::to_owned),
            state,
            outbound: invite.is_some(),
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
            local_party: self.local_party.clone(),
            remote_party: self.remote_party.clone(),
            remote_target: self.remote_target.clone(),
            route_set: self.route_set.clone(),
            local_cseq: self.local_cseq,
            remote_cseq: self.remote_cseq,
            invite_cseq: invite.map_or(0, |invite| invite.cseq),
            invite_branch: invite.map(|invite| invite.branch.clone()).unwrap_or_default(),
            invite_uri: invite.map(|invite| invite.uri.clone()).unwrap_or_default(),
            transport: self.peer.transport,
            peer: self.peer.address.to_string(),
        }
    }

    /// `None` when the stored peer address cannot be read.
    pub fn restored(stored: &StoredDialog) -> Option<Self> {
        Some(Self {
            call_id: stored.call_id.clone(),
            local_tag: stored.local_tag.clone(),
            remote_tag: stored.remote_tag.clone(),
            local_party: stored.local_party.clone(),
            remote_party: stored.remote_party.clone(),
            remote_target: stored.remote_target.clone(),
            route_set: stored.route_set.clone(),
            local_cseq: stored.local_cseq,
            remote_cseq: stored.remote_cseq,
            peer: Peer { transport: stored.transport, address: stored.peer.parse().ok()? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(target: &str, routes: &[&str]) -> Dialog {
        Dialog {
            call_id: "c".into(),
            local_tag: "near".into(),
            remote_tag: Some("far".into()),
            local_party: "<sip:us@192.0.2.1>".into(),
            remote_party: "<sip:them@192.0.2.2>".into(),
            remote_target: target.into(),
            route_set: routes.iter().map(|route| (*route).to_owned()).collect(),
            local_cseq: 1,
            remote_cseq: None,
            peer: Peer { transport: Transport::Udp, address: ([192, 0, 2, 2], 5060).into() },
        }
    }

    fn hop(target: &str, routes: &[&str]) -> (Transport, String) {
        let peer = dialog(target, routes).next_hop();
        (peer.transport, peer.address.to_string())
    }

    #[test]
    fn loose_routes_keep_the_target_in_the_request_uri() {
        let mut dialog = dialog("sip:b@192.0.2.9;x=y?Subject=z", &["<sip:192.0.2.5;lr>", "<sip:192.0.2.6;lr>"]);
        let request = dialog.request(Method::Bye);
        assert_eq!(request.uri, "sip:b@192.0.2.9;x=y", "header parts do not go into a Request-URI");
        assert_eq!(request.headers.all("Route").collect::<Vec<_>>(), ["<sip:192.0.2.5;lr>", "<sip:192.0.2.6;lr>"]);
        assert_eq!(request.headers.get("CSeq"), Some("2 BYE"));
        assert_eq!(request.headers.get("To"), Some("<sip:them@192.0.2.2>;tag=far"));
    }

    #[test]
    fn a_strict_route_takes_the_place_of_the_request_uri() {
        let mut dialog = dialog("sip:b@192.0.2.9", &["<sip:192.0.2.5>", "<sip:192.0.2.6;lr>"]);
        let request = dialog.request(Method::Bye);
        assert_eq!(request.uri, "sip:192.0.2.5");
        assert_eq!(request.headers.all("Route").collect::<Vec<_>>(), ["<sip:192.0.2.6;lr>", "<sip:b@192.0.2.9>"]);
    }

    #[test]
    fn the_next_hop_is_an_address_the_peer_may_name() {
        let udp = |text: &str| (Transport::Udp, text.to_owned());
        assert_eq!(hop("sip:b@192.0.2.9:5070", &[]), udp("192.0.2.9:5070"));
        assert_eq!(hop("sip:b@192.0.2.9", &["<sip:192.0.2.5:5080;lr>"]), udp("192.0.2.5:5080"));
        assert_eq!(hop("sip:b@[2001:db8::1]:5070", &[]), udp("[2001:db8::1]:5070"));
        assert_eq!(hop("sip:b@192.0.2.9;transport=TCP", &[]), (Transport::Tcp, "192.0.2.9:5060".into()));
        let tls = (Transport::Tls, "192.0.2.9:5061".to_owned());
        assert_eq!(hop("sips:b@192.0.2.9", &[]), tls);
        assert_eq!(hop("sips:b@192.0.2.9;transport=tcp", &[]), tls, "sips over TCP is TLS (RFC 3261 §26.2.2)");
        assert_eq!(hop("sip:b@pbx.example", &["<sip:192.0.2.9;transport=tls;lr>"]), tls);
        for elsewhere in
            ["sip:b@pbx.example", "tel:+1", "sip:b@127.0.0.1", "sip:b@0.0.0.0", "sip:b@224.0.0.1", "nonsense"]
        {
            assert_eq!(hop(elsewhere, &[]), udp("192.0.2.2:5060"), "{elsewhere}: where it was last heard");
        }
    }

    #[test]
    fn numbers_only_rise() {
        let mut dialog = dialog("sip:b@192.0.2.9", &[]);
        assert!(dialog.accept_cseq(5));
        assert!(!dialog.accept_cseq(5) && !dialog.accept_cseq(4));
        assert!(dialog.accept_cseq(9));
    }
}
