//! Messages for the machines' own tests.

use super::{ClientAction, ServerAction};
use crate::message::{Method, Request, Response};

pub(crate) fn invite() -> Request {
    request(Method::Invite)
}

pub(crate) fn options() -> Request {
    request(Method::Options)
}

fn request(method: Method) -> Request {
    let mut request = Request::new(method.clone(), "sip:100@192.0.2.7");
    for (name, value) in [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-one"),
        ("Max-Forwards", "70"),
        ("From", "<sip:us@192.0.2.1>;tag=near"),
        ("To", "<sip:100@192.0.2.7>"),
        ("Call-ID", "call-one"),
    ] {
        request.headers.push(name, value);
    }
    request.headers.write("CSeq", format_args!("1 {method}"));
    request
}

pub(crate) fn response_to(request: &Request, status: u16) -> Response {
    let mut response = Response::new(status);
    for (name, value) in request.headers.iter() {
        let tag = if name == "To" && !value.contains("tag=") { ";tag=far" } else { "" };
        response.headers.write(name, format_args!("{value}{tag}"));
    }
    response
}

pub(crate) fn sent(actions: &[ClientAction]) -> usize {
    actions.iter().filter(|action| matches!(action, ClientAction::Transmit(_))).count()
}

pub(crate) fn server_sent(actions: &[ServerAction]) -> usize {
    actions.iter().filter(|action| matches!(action, ServerAction::Transmit(_))).count()
}

pub(crate) fn statuses(actions: &[ClientAction]) -> Vec<u16> {
    actions
        .iter()
        .filter_map(|action| match action {
            ClientAction::Deliver(response) => Some(response.status),
            _ => None,
        })
        .collect()
}

pub(crate) fn drain_deliveries(actions: &mut Vec<ClientAction>) -> Vec<u16> {
    let found = statuses(actions);
    actions.clear();
    found
}
