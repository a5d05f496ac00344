//! A good peer: what it sends between the bad ones.

use ringback_signaling::SignalingEvent;

use super::{OFFER, Rig, Scripted, header};

/// A request with every header in order.
pub fn request(method: &str, id: &str) -> String {
    format!(
        "{method} sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9999;rport;branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=near\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:a@127.0.0.1:9999>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Calls in, is answered, hangs up.
pub async fn call(rig: &mut Rig, peer: &mut Scripted, id: &str) {
    peer.send(request("INVITE", id).as_bytes()).await;
    let SignalingEvent::Incoming { key, .. } =
        rig.until("a call", |event| matches!(event, SignalingEvent::Incoming { .. })).await
    else {
        panic!("incoming")
    };
    rig.signaling.accept(key, OFFER.into());
    let ok = peer.expect("SIP/2.0 200").await;
    let to = header(&ok, "To");
    let within = |method: &str, cseq: u32| {
        request(method, &format!("{id}{method}"))
            .replace("To: <sip:100@127.0.0.1>", &format!("To: {to}"))
            .replace(&format!("Call-ID: {id}{method}"), &format!("Call-ID: {id}"))
            .replace("CSeq: 1", &format!("CSeq: {cseq}"))
    };
    let ack = within("ACK", 1).replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}", OFFER.len()),
    );
    peer.send(ack.as_bytes()).await;
    rig.answered().await;
    peer.send(within("BYE", 2).as_bytes()).await;
    peer.expect("SIP/2.0 200").await;
    rig.over().await;
}
