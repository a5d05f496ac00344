//! A trunk over TLS through Kamailio: calls, mutual TLS, and each way a handshake can fail.

mod peer;

use std::{fs, time::Duration};

use peer::{
    OFFER, Rig, Sipp,
    certificates::Authority,
    config,
    kamailio::{Border, Kamailio},
};
use ringback_signaling::{EndedBy, SignalingEvent, TlsFiles, TlsListen, Transport, TrunkConfig};

const RING: Duration = Duration::from_secs(10);

fn trunk(port: u16, tls: TlsFiles) -> TrunkConfig {
    TrunkConfig { options_interval: Some(Duration::from_millis(300)), tls, ..peer::trunk(Transport::Tls, port) }
}

async fn call(rig: &mut Rig) {
    let key = rig.call(RING);
    rig.answered().await;
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
}

/// Why the trunk is down.
async fn cause(rig: &mut Rig) -> String {
    let tried = |cause: &String| cause != "not heard of yet";
    let down = |event: &SignalingEvent| matches!(event, SignalingEvent::Trunk(state) if !state.up && state.cause.as_ref().is_some_and(tried));
    match rig.until("the trunk is down", down).await {
        SignalingEvent::Trunk(state) => state.cause.expect("a cause"),
        other => panic!("{other:?}"),
    }
}

async fn unstarted(trunk: TrunkConfig) -> Rig {
    let (signaling, events) = ringback_signaling::Signaling::start(config(vec![trunk])).await.expect("starts");
    Rig { signaling, events }
}

#[tokio::test]
async fn a_call_through_tls_with_certificates_on_both_sides() {
    let (carrier, ours) = (Authority::new(), Authority::new());
    let (server, client) = (carrier.issue("127.0.0.1"), ours.issue("ringback.example"));
    let sipp = Sipp::called("answer_behind_proxy", Transport::Udp, &[]);
    let border = Border { to: sipp.port, tls: Some((&server, Some(&ours))), ..Border::default() };
    let kamailio = Kamailio::start(&border);
    let files = TlsFiles {
        roots: carrier.root(),
        certificate: Some(client.certificate.clone()),
        private_key: Some(client.private_key.clone()),
        server_name: None,
    };
    let mut rig = Rig::start(config(vec![trunk(kamailio.tls, files)])).await;
    call(&mut rig).await;
    sipp.passed().await;
    kamailio.says("ping over tls").await;
    kamailio.says("within: ACK over tls").await;
    kamailio.says("within: BYE over tls").await;
}

#[tokio::test]
async fn a_carrier_that_wants_a_certificate_we_do_not_have() {
    let (carrier, ours) = (Authority::new(), Authority::new());
    let server = carrier.issue("127.0.0.1");
    let kamailio = Kamailio::start(&Border { to: 9, tls: Some((&server, Some(&ours))), ..Border::default() });
    let files = TlsFiles { roots: carrier.root(), ..TlsFiles::default() };
    let mut rig = unstarted(trunk(kamailio.tls, files)).await;
    let cause = cause(&mut rig).await;
    assert!(cause.contains("CertificateRequired") || cause.contains("alert"), "{cause}");
}

#[tokio::test]
async fn another_root_and_another_name_are_refused_and_said() {
    let (carrier, stranger) = (Authority::new(), Authority::new());
    let server = carrier.issue("127.0.0.1");
    let kamailio = Kamailio::start(&Border { to: 9, tls: Some((&server, None)), ..Border::default() });
    let wrong = stranger.root();
    let files = TlsFiles { roots: wrong.clone(), ..TlsFiles::default() };
    let mut rig = unstarted(trunk(kamailio.tls, files)).await;
    let said = cause(&mut rig).await;
    assert!(said.contains("signed by none of the roots") && said.contains("root.pem"), "{said}");
    let key = rig.call(RING);
    let SignalingEvent::Failed { key: failed, status: None, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(failed, key, "no call leaves over a connection that is not trusted");

    // The right root in the same place: the next connection is made with it, without a restart.
    fs::copy(carrier.root(), &wrong).expect("copied");
    rig.until("up", |event| matches!(event, SignalingEvent::Trunk(state) if state.up)).await;

    let elsewhere = TlsFiles { server_name: Some("sip.elsewhere.example".into()), roots: wrong, ..TlsFiles::default() };
    let mut rig = unstarted(trunk(kamailio.tls, elsewhere)).await;
    let said = cause(&mut rig).await;
    assert!(said.contains("not for sip.elsewhere.example"), "{said}");
}

#[tokio::test]
async fn plain_tcp_where_tls_is_spoken() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SIP/2.0 400 Bad Request\r\n\r\n").await;
        }
    });
    let files = TlsFiles { roots: Authority::new().root(), ..TlsFiles::default() };
    // The folder of the authority is gone: that is told before anything is sent.
    let mut rig = unstarted(trunk(port, files)).await;
    assert!(cause(&mut rig).await.contains("root.pem"));
    let authority = Authority::new();
    let files = TlsFiles { roots: authority.root(), ..TlsFiles::default() };
    let mut rig = unstarted(trunk(port, files)).await;
    let said = cause(&mut rig).await;
    assert!(said.starts_with("TLS:"), "{said}");
}

/// A call that comes in over TLS, to a server whose certificate is renewed while it runs.
#[tokio::test]
async fn two_of_us_over_tls() {
    let authority = Authority::new();
    let pair = authority.issue("127.0.0.1");
    let listen = TlsListen {
        bind: "127.0.0.1:0".parse().expect("an address"),
        certificate: pair.certificate.clone(),
        private_key: pair.private_key.clone(),
        client_roots: None,
    };
    let mut far_config = config(Vec::new());
    far_config.tls = Some(listen);
    let mut far = Rig::start(far_config).await;
    let port = far.signaling.tls_addr().expect("bound").port();
    let files = TlsFiles { roots: authority.root(), ..TlsFiles::default() };
    for round in 0..2 {
        let mut sips = trunk(port, files.clone());
        sips.sips = round == 1;
        let mut near = Rig::start(config(vec![sips])).await;
        let key = near.call(RING);
        let SignalingEvent::Incoming { key: theirs, headers, .. } = far.next().await else { panic!("incoming") };
        let contact = headers.iter().find(|(name, _)| name == "Contact").map(|(_, value)| value.clone());
        let contact = contact.expect("a contact");
        match round {
            0 => assert!(contact.contains("sip:") && contact.contains(";transport=tls"), "{contact}"),
            _ => assert!(contact.contains("sips:") && !contact.contains("transport"), "{contact}"),
        }
        far.signaling.accept(theirs, OFFER.into());
        near.answered().await;
        near.signaling.hang_up(key);
        far.over().await;
        // Renewed by another authority: what connects from now on must see the new one.
        let renewed = Authority::new();
        let new = renewed.issue("127.0.0.1");
        fs::copy(&new.certificate, &pair.certificate).expect("copied");
        fs::copy(&new.private_key, &pair.private_key).expect("copied");
        fs::copy(renewed.root(), authority.folder().join("root.pem")).expect("copied");
    }
}
