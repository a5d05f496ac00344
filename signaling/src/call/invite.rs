//! The first INVITE of a call we make.

use bytes::Bytes;

use super::refresh;
use crate::{
    dialog::{Local, Peer},
    event::CallRequest,
    header::{push_params, quoted},
    message::{ALLOW, Method, Request, is_token},
    trunk::TrunkConfig,
    uri::{bracketed, percent_encoded},
};

/// Headers a caller of the API may not set, because the protocol depends on them.
const PROTECTED: [&str; 21] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Authorization",
    "Proxy-Authorization",
    "Require",
    "Proxy-Require",
    "Supported",
    "Allow",
    "RSeq",
    "RAck",
    "Session-Expires",
];

/// `caller`: the caller id, escaped.
pub(super) fn first_invite(
    wanted: &CallRequest,
    trunk: &TrunkConfig,
    local: &Local,
    caller: &str,
    peer: Peer,
) -> Request {
    let mut uri = format!("{}:{}@{}", trunk.scheme(), percent_encoded(&wanted.to_user), bracketed(&trunk.host));
    if let Some(port) = trunk.port.filter(|port| *port != trunk.transport.default_port()) {
        uri.push_str(&format!(":{port}"));
    }
    push_params(&mut uri, &trunk.uri_params);
    if !trunk.sips {
        uri.push_str(trunk.transport.uri_param());
    }
    let domain = trunk.from_domain.as_deref().map_or_else(|| local.host.clone(), bracketed);
    let display = wanted.display_name.as_deref().map(|name| quoted(name) + " ").unwrap_or_default();
    let mut request = Request::new(Method::Invite, uri.clone());
    request.headers.push("Max-Forwards", "70");
    request
        .headers
        .write("From", format_args!("{display}<{}:{caller}@{domain}>;tag={}", trunk.scheme(), wanted.from_tag));
    request.headers.write("To", format_args!("<{uri}>"));
    request.headers.push("Call-ID", &wanted.call_id);
    request.headers.push("CSeq", "1 INVITE");
    request.headers.push("Contact", local.contact(peer.transport, caller));
    request.headers.push("Allow", ALLOW);
    request.headers.push("Supported", "100rel, timer");
    if let Some(interval) = trunk.session_expires {
        refresh::ask(&mut request, interval);
    }
    if trunk.trusts_identity {
        request.headers.write("P-Asserted-Identity", format_args!("<{}:{caller}@{domain}>", trunk.scheme()));
    }
    for (name, value) in &wanted.extra_headers {
        if is_token(name) && name.len() > 1 && !PROTECTED.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            request.headers.push(name, value.clone());
        }
    }
    request.headers.push("Content-Type", "application/sdp");
    request.body = Bytes::copy_from_slice(wanted.sdp.as_bytes());
    request
}
