//! Broken messages on an agent's socket: each is answered or ends the socket, and the server serves on.

use ringback_tests::fuzz::{
    mutate::{Dice, Mutator},
    seed, time,
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    sockets::{Socket, connect, hello, listening, next, say},
    *,
};
use futures_util::{SinkExt, StreamExt};

const WORDS: &[&[u8]] = &[
    b"\"type\":",
    b"\"ref\":1",
    b"\"id\":1",
    b"\"hello\"",
    b"\"pong\"",
    b"\"state\"",
    b"\"ready\"",
    b"\"not_ready\"",
    b"\"offline\"",
    b"\"phone_offer\"",
    b"\"take_over\"",
    b"\"accept\"",
    b"\"hold\"",
    b"\"mute\"",
    b"\"dtmf\"",
    b"\"hang_up\"",
    b"\"wrap_up\"",
    b"\"wrap_up_more\"",
    b"null",
    b"true",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"ct_00000000000000000000000001",
    b"of_00000000000000000000000001",
    b"v=0\\r\\n",
    b"m=audio 9 UDP/TLS/RTP/SAVPF 0\\r\\n",
    b"a=fingerprint:sha-256 00\\r\\n",
    b"a=ice-ufrag:a\\r\\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let contact = "ct_00000000000000000000000001";
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8 126\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
               a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=setup:actpass\r\na=rtcp-mux\r\na=sendrecv\r\na=rtpmap:126 telephone-event/8000\r\n\
               a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n";
    [
        hello("tab-2"),
        json!({ "type": "pong", "id": 1, "microphone": true, "media": true }),
        json!({ "type": "state", "state": "not_ready", "reason": "lunch", "ref": 2 }),
        json!({ "type": "phone_offer", "id": 3, "sdp": sdp, "restart": false, "ref": 3 }),
        json!({ "type": "take_over", "ref": 4 }),
        json!({ "type": "accept", "offer": "of_00000000000000000000000001", "ref": 5 }),
        json!({ "type": "hold", "contact": contact, "on": true, "ref": 6 }),
        json!({ "type": "dtmf", "contact": contact, "digits": "12#", "ref": 7 }),
        json!({ "type": "wrap_up", "segment": "sg_00000000000000000000000001", "dispositions": ["resolved"], "note": "x", "ref": 8 }),
    ]
    .map(|message| message.to_string().into_bytes())
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_agents_sockets() {
    let world = World::with_limits("logins_per_minute = 1000\nsocket_messages_per_second = 1000000\npages_per_minute = 1000000\nstaff_api_per_minute = 1000000").await;
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(OPEN, Role::Agent).await;
    let (seeds, mut dice) = (seeds(), Dice::new(seed()));
    let until = std::time::Instant::now() + time();
    let mut sent = 0_u64;
    while std::time::Instant::now() < until {
        let mut socket = connect(address, &cookie).await;
        say(&mut socket, hello("tab-1")).await;
        next(&mut socket, "snapshot", true).await;
        for _ in 0..200 {
            let input = Mutator { corpus: &seeds, words: WORDS }.input(&mut dice);
            let frame = match dice.below(10) {
                0 => Message::binary(input),
                1 => Message::Ping(input.into_iter().take(125).collect::<Vec<u8>>().into()),
                _ => Message::text(String::from_utf8_lossy(&input).into_owned()),
            };
            sent += 1;
            if socket.send(frame).await.is_err() || !is_open(&mut socket).await {
                break;
            }
        }
    }
    // A tab that behaves is served as if nothing had been.
    let mut tab = connect(address, &cookie).await;
    say(&mut tab, hello("tab-9")).await;
    next(&mut tab, "snapshot", true).await;
    say(&mut tab, json!({ "type": "take_over", "ref": 1 })).await;
    assert_eq!(next(&mut tab, "ack", true).await["ref"], 1, "after {sent} messages");
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
}

/// Takes what has come so far; false when the server has closed the socket.
async fn is_open(socket: &mut Socket) -> bool {
    loop {
        match tokio::time::timeout(std::time::Duration::ZERO, socket.next()).await {
            Err(_) => return true,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return false,
            Ok(Some(Ok(_))) => {}
        }
    }
}
