//! The agent's socket and the event streams over a real connection.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::*;
use crate::server::Listening;

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The world behind a listener; the sender closes it.
pub(super) async fn listening(world: &World) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closing) = watch::channel(false);
    let connections = std::sync::Arc::new(Semaphore::new(100));
    let serving = Listening { app: world.app.clone(), router: world.router.clone(), closing, connections };
    tokio::spawn(serving.serve(listener, None));
    (address, close)
}

async fn dial(address: SocketAddr, headers: &[(&str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

pub(super) async fn connect(address: SocketAddr, cookie: &str) -> Socket {
    let headers = [("cookie", cookie), ("origin", ORIGIN), ("sec-websocket-protocol", "ringback.v1")];
    dial(address, &headers).await.unwrap()
}

pub(super) async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message of that kind; pings are answered with a good microphone if `healthy`.
pub(super) async fn next(socket: &mut Socket, kind: &str, healthy: bool) -> Value {
    let wait = async {
        while let Some(frame) = socket.next().await {
            let Message::Text(text) = frame.unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "ping" && healthy {
                say(socket, json!({ "type": "pong", "id": message["id"], "microphone": true, "media": true })).await;
            }
            if message["type"] == kind {
                return message;
            }
        }
        panic!("the socket closed before `{kind}`");
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no `{kind}` came"))
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    let wait = async {
        while let Some(Ok(frame)) = socket.next().await {
            if let Message::Close(frame) = frame {
                return frame.map(|frame| frame.code.into());
            }
        }
        None
    };
    timeout(Duration::from_secs(30), wait).await.unwrap_or(None)
}

pub(super) fn hello(session: &str) -> Value {
    json!({ "type": "hello", "session": session, "after": null })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_pages_open_a_socket() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let agent = world.sign_in(OPEN, Role::Agent).await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let protocol = ("sec-websocket-protocol", "ringback.v1");
    for (headers, status) in [
        (vec![("cookie", agent.as_str()), protocol], 403),
        (vec![("cookie", agent.as_str()), ("origin", "https://evil.example"), protocol], 403),
        (vec![("cookie", agent.as_str()), ("origin", ORIGIN)], 400),
        (vec![("cookie", agent.as_str()), ("origin", ORIGIN), ("sec-websocket-protocol", "other")], 400),
        (vec![("origin", ORIGIN), protocol], 401),
        (vec![("cookie", admin.as_str()), ("origin", ORIGIN), protocol], 403),
    ] {
        match dial(address, &headers).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status, "{headers:?}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_says_hello_and_works() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, json!({ "type": "state", "state": "ready", "ref": 1 })).await;
    assert_eq!(next(&mut tab, "error", false).await["problem"]["code"], "hello_first");
    say(&mut tab, hello("tab-1")).await;
    let snapshot = next(&mut tab, "snapshot", true).await;
    assert_eq!((&snapshot["owner"], &snapshot["agent"]["id"]), (&json!(true), &json!("open-agent")));
    assert_eq!(snapshot["agent"]["session"], "tab-1");
    next(&mut tab, "ping", true).await;
    say(&mut tab, json!({ "type": "state", "state": "not_ready", "reason": "lunch", "ref": 2 })).await;
    assert_eq!(next(&mut tab, "ack", true).await["ref"], 2);
    let changed = next(&mut tab, "snapshot", true).await;
    assert!(changed["seq"].as_u64() > snapshot["seq"].as_u64());
    for (message, code) in [
        (json!({ "type": "state", "state": "not_ready", "reason": "no such", "ref": 3 }), "bad_value"),
        (json!({ "type": "state", "state": "not_ready", "ref": 3 }), "bad_value"),
        (json!({ "type": "accept", "offer": "of_00000000000000000000000001", "ref": 3 }), "offer_gone"),
        (json!({ "type": "dtmf", "contact": "ct_00000000000000000000000001", "digits": "x", "ref": 3 }), "bad_value"),
        (json!({ "type": "mute", "contact": "ct_00000000000000000000000001", "on": true, "ref": 3 }), "not_found"),
        (json!({ "type": "fly", "ref": 3 }), "bad_message"),
    ] {
        say(&mut tab, message.clone()).await;
        let error = next(&mut tab, "error", true).await;
        assert_eq!((&error["ref"], error["problem"]["code"].as_str()), (&json!(3), Some(code)), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_is_in_one_tab_and_can_be_taken_over() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut first = connect(address, &cookie).await;
    say(&mut first, hello("tab-1")).await;
    assert_eq!(next(&mut first, "snapshot", true).await["owner"], true);
    let mut second = connect(address, &cookie).await;
    say(&mut second, hello("tab-2")).await;
    assert_eq!(next(&mut second, "snapshot", true).await["owner"], false);
    say(&mut second, json!({ "type": "state", "state": "ready", "ref": 1 })).await;
    assert_eq!(next(&mut second, "error", true).await["problem"]["code"], "not_owner");
    say(&mut second, json!({ "type": "take_over", "ref": 2 })).await;
    assert_eq!(next(&mut second, "ack", true).await["ref"], 2);
    let lost = next(&mut first, "owner", true).await;
    assert_eq!((&lost["owner"], &lost["session"]), (&json!(false), &json!("tab-2")));
    // The first tab's going is nobody's loss.
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let view = world.app.engine.agent_view(&TenantId::new(OPEN), &"open-agent".into()).await.unwrap().unwrap();
    assert_eq!(view.session.map(|session| session.to_string()), Some("tab-2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_does_not_answer_is_not_reachable_and_then_closed() {
    let world = World::with_limits("ping_seconds = 1\nsilent_tab_seconds = 2\ndead_tab_seconds = 4").await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-1")).await;
    next(&mut tab, "ping", true).await;
    let health = async || {
        let view = world.app.engine.agent_view(&TenantId::new(OPEN), &"open-agent".into()).await.unwrap().unwrap();
        view.health
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(health().await.tab && health().await.microphone);
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(!health().await.tab);
    assert_eq!(close_code(&mut tab).await, Some(4005));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_closes_the_socket() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-1")).await;
    next(&mut tab, "snapshot", true).await;
    assert_eq!(world.post_as("/api/v1/logout", json!({}), &cookie).await.status, StatusCode::NO_CONTENT);
    next(&mut tab, "revoked", true).await;
    assert_eq!(close_code(&mut tab).await, Some(4001));
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_and_monsters_are_cut_off() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut flood = connect(address, &cookie).await;
    for id in 0..200 {
        let pong = json!({ "type": "pong", "id": id, "microphone": false, "media": false });
        if flood.send(Message::text(pong.to_string())).await.is_err() {
            break;
        }
    }
    assert!(matches!(close_code(&mut flood).await, Some(4003) | None));
    let mut monster = connect(address, &cookie).await;
    let _ = monster.send(Message::text("x".repeat(100_000))).await;
    assert!(matches!(close_code(&mut monster).await, Some(4003) | None));
    let mut binary = connect(address, &cookie).await;
    binary.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(close_code(&mut binary).await, Some(4002));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customers_page_hears_of_changes() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let link = world.callback("916 555 0131").await["status_token"].as_str().unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /api/v1/status/{link}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut until = async |what: &str| {
        let wait = async {
            let mut piece = [0; 4096];
            while !heard.contains(what) {
                let read = stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "the stream ended before {what}: {heard}");
                heard += &String::from_utf8_lossy(&piece[..read]);
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never heard: {what}"));
    };
    until("event: status").await;
    until("\"stage\":\"waiting\"").await;
    world.post(&format!("/api/v1/status/{link}/cancel"), json!({})).await;
    until("\"stage\":\"cancelled\"").await;
    until("event: end").await;
}

/// Longest time a right that was taken away may still be used: the promise of the house.
const FIVE_SECONDS: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_out_loses_socket_and_stream_within_five_seconds() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let end = async |role: Role| {
        let path = format!("/api/v1/users/{}/sign-out", user_id(OPEN, role));
        assert_eq!(world.post_as(&path, json!({}), &admin).await.status, StatusCode::NO_CONTENT);
    };
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-1")).await;
    next(&mut tab, "snapshot", true).await;
    let began = std::time::Instant::now();
    end(Role::Agent).await;
    assert_eq!(close_code(&mut tab).await, Some(4001));
    assert!(began.elapsed() < FIVE_SECONDS);
    // The ledger alone, as when another process does it.
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-2")).await;
    next(&mut tab, "snapshot", true).await;
    let began = std::time::Instant::now();
    let agent = ringback_routing::ids::AgentId::new(user_id(OPEN, Role::Agent));
    world.app.store.revoke_sessions_of(&agent, world.app.now()).await.unwrap();
    assert_eq!(close_code(&mut tab).await, Some(4001));
    assert!(began.elapsed() < FIVE_SECONDS, "{:?}", began.elapsed());
    // The board's stream.
    let cookie = world.sign_in(OPEN, Role::Supervisor).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /api/v1/board/events HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut piece = [0; 65_536];
    assert!(stream.read(&mut piece).await.unwrap() > 0);
    let began = std::time::Instant::now();
    end(Role::Supervisor).await;
    let closed = async {
        let mut heard = String::new();
        // The last chunk of a chunked body.
        while !heard.ends_with("0\r\n\r\n") {
            match stream.read(&mut piece).await.unwrap() {
                0 => break,
                read => heard += &String::from_utf8_lossy(&piece[..read]),
            }
        }
    };
    timeout(FIVE_SECONDS, closed).await.expect("the stream ends");
    assert!(began.elapsed() < FIVE_SECONDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_opens_so_many_streams_and_gets_its_places_back() {
    let world = World::with_limits("event_streams_per_address = 2").await;
    let link = world.callback("916 555 0132").await["status_token"].as_str().unwrap().to_owned();
    let open = async || {
        let path = format!("/api/v1/status/{link}/events");
        let mut request = request(Method::GET, &path, None, &[]);
        request.extensions_mut().insert(peer("198.51.100.20"));
        world.router.clone().oneshot(request).await.unwrap()
    };
    let (first, second) = (open().await, open().await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(open().await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(first);
    assert_eq!(open().await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_added_while_the_server_runs_can_work() {
    let world = World::new().await;
    let (address, _close) = listening(&world).await;
    let tenant = world.app.config.tenant(&TenantId::new(OPEN));
    let user = users::new_user("late", "Late Comer", Role::Agent, tenant, PASSWORD).unwrap();
    world.app.store.create_user(&user).await.unwrap();
    let answer = world.post("/api/v1/login", json!({ "user": "late", "password": PASSWORD })).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-1")).await;
    assert_eq!(next(&mut tab, "snapshot", true).await["agent"]["name"], "Late Comer");
}

/// The world behind a listener that speaks TLS, and a client's connection to it with that protocol agreed.
async fn over_tls(world: &World, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = crate::tls::CertificateFiles {
        certificate: folder.path().join("cert.pem"),
        private_key: folder.path().join("key.pem"),
    };
    std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
    std::fs::write(&files.private_key, pair.signing_key.serialize_pem()).unwrap();
    let (_current, config) = watch::channel(files.load().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closing) = watch::channel(false);
    let connections = std::sync::Arc::new(Semaphore::new(100));
    let serving = Listening { app: world.app.clone(), router: world.router.clone(), closing, connections };
    tokio::spawn(async move {
        serving.serve(listener, Some(config)).await;
        drop(close);
    });

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![alpn.to_vec()];
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_too() {
    let world = World::new().await;
    let mut stream = over_tls(&world, b"http/1.1").await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    // The server may end the connection without TLS's own goodbye.
    let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security: max-age="), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_never_say_anything_are_closed() {
    let world = World::with_limits("header_seconds = 1").await;
    let (address, _close) = listening(&world).await;
    let (mut rest, started) = (Vec::new(), std::time::Instant::now());
    let mut plain = TcpStream::connect(address).await.unwrap();
    timeout(PATIENCE, plain.read_to_end(&mut rest)).await.expect("plain: closed").ok();
    // After an answer too.
    let mut asked = TcpStream::connect(address).await.unwrap();
    asked.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    rest.clear();
    timeout(PATIENCE, asked.read_to_end(&mut rest)).await.expect("asked: closed").ok();
    assert!(rest.starts_with(b"HTTP/1.1 200"));
    // Who stops in the middle of a request is answered, and not waited for.
    let mut stopped = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stopped.write_all(head.as_bytes()).await.unwrap();
    rest.clear();
    timeout(PATIENCE, stopped.read_to_end(&mut rest)).await.expect("stopped: closed").ok();
    assert!(rest.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&rest));
    for alpn in [b"h2".as_slice(), b"http/1.1"] {
        let mut silent = over_tls(&world, alpn).await;
        timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("TLS: closed").ok();
    }
    let mut half = over_tls(&world, b"h2").await;
    half.write_all(b"PRI * HTTP/2").await.unwrap();
    timeout(PATIENCE, half.read_to_end(&mut rest)).await.expect("half a preface: closed").ok();
    assert!(started.elapsed() >= Duration::from_secs(5), "each in its time");
    // An event stream lives although nothing is said on it for longer.
    let link = world.callback("916 555 0133").await["status_token"].as_str().unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET /api/v1/status/{link}/events HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let ended = timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_err(), "it is kept");
}
