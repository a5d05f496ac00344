//! The reader against mutations of good messages: nothing may panic, and what is read must be writable and readable again.

use crate::{
    entropy::Entropy,
    header::{Essentials, NameAddr, Via, list, reply, sdp_of, split_list},
    message::{Message, Parsed, parse_datagram},
    uri::Uri,
};

const SEEDS: [&str; 4] = [
    "INVITE sip:+1916;x=y@[2001:db8::1]:5060;transport=udp SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bKa;rport, SIP/2.0/TCP g\r\n\
     From: \"A \\\" B\" <sip:a@b?x=y>;tag=1\r\nt: <tel:+1-916>;tag=2\r\ni: c@d\r\nCSeq: 1 INVITE\r\nm: *, <sip:a@b>;q=0.1\r\n\
     Record-Route: <sip:p;lr>,<sip:q>\r\nContent-Type: multipart/mixed;boundary=\"b\"\r\nl: 48\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--",
    "SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a@b;tag=1\r\nTo: <sip:c>\r\nCall-ID: x\r\nCSeq: 2 BYE\r\n\
     WWW-Authenticate: Digest realm=\"a,b\", nonce=\"c\\\"d\", qop=\"auth,auth-int\", algorithm=SHA-256\r\n\r\n",
    "SIP/2.0 183 P\r\nv: SIP/2.0/TCP [::1]:5060\r\nf: <sip:a>\r\n ;tag=3\r\nt: x <sip:b>;tag=4\r\ni: i\r\nCSeq: 1 INVITE\r\n\
     Require: 100rel\r\nRSeq: 1\r\nx: 1800;refresher=uac\r\nl: 0\r\n\r\n",
    "OPTIONS tel:+1;ext=2 SIP/2.0\nVia: SIP / 2.0 / UDP  h ; branch = z9hG4bKb\nFrom: é <sip:a@b>;tag=1\nTo: <sip:b>\nCall-ID: y\nCSeq: 3 OPTIONS\n\n",
];

/// Everything the stack reads of a message.
fn read_all(parsed: &Parsed) {
    let headers = parsed.message.headers();
    for (_, value) in headers.iter() {
        split_list(value).for_each(|item| {
            let _ = (
                Via::parse(item),
                NameAddr::parse(item).map(|n| n.without_tag()),
                Uri::parse(item).map(|u| u.decoded_user()),
            );
        });
    }
    let _ = list(headers, "Require").count();
    let encoded = match &parsed.message {
        Message::Request(request) => {
            let _ = (
                Essentials::of_request(request),
                sdp_of(headers, &request.body),
                reply(request, 400, Some("t")).encode(),
            );
            request.encode()
        }
        Message::Response(response) => {
            let _ = (Essentials::of_response(response), sdp_of(headers, &response.body));
            response.encode()
        }
    };
    let reread = parse_datagram(&encoded, 256);
    assert!(reread.is_ok(), "written, it cannot be read: {:?}", String::from_utf8_lossy(&encoded));
}

#[test]
fn the_seeds_are_good() {
    for seed in SEEDS {
        let parsed = parse_datagram(seed.as_bytes(), 128).unwrap_or_else(|error| panic!("{error}: {seed}"));
        let essentials = match &parsed.message {
            Message::Request(request) => Essentials::of_request(request),
            Message::Response(response) => Essentials::of_response(response),
        };
        essentials.unwrap_or_else(|flaw| panic!("{flaw}: {seed}"));
        read_all(&parsed);
    }
    let Ok(Parsed { message: Message::Request(request), .. }) = parse_datagram(SEEDS[0].as_bytes(), 128) else {
        panic!("a request")
    };
    assert_eq!(sdp_of(&request.headers, &request.body).as_deref(), Some("v=0\r\n"));
    let from = NameAddr::parse(request.headers.get("From").unwrap()).unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("A \" B"), Some("1")));
}

#[test]
fn mutations_do_no_harm() {
    let mut dice = Entropy::Seeded(1);
    let alphabet: Vec<u8> = b"\r\n\t ,;:<>\"\\@=%[]?/\0\xff\xc3-0129aZ".to_vec();
    let mut readable = 0;
    for round in 0..60_000 {
        let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..=dice.between(0, 6) {
            let at = dice.between(0, bytes.len() as u64) as usize;
            let letter = alphabet[dice.between(0, alphabet.len() as u64) as usize];
            match dice.between(0, 5) {
                0 => bytes[at] = letter,
                1 => bytes.insert(at, letter),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 | 3 => bytes.truncate(at.max(1)),
                _ => {
                    let to = (at + dice.between(0, 40) as usize).min(bytes.len());
                    let piece = bytes[at..to].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(parsed) = parse_datagram(&bytes, 128) {
            readable += 1;
            read_all(&parsed);
        }
    }
    assert!(readable > 10_000, "the mutations must reach past the start line: {readable}");
}

#[test]
fn no_value_starts_a_new_line() {
    let mut headers = crate::message::Headers::default();
    headers.push("User-to-User", "a\r\nVia: evil\0\n\nbody");
    let mut request = crate::message::Request::new(crate::message::Method::Options, "sip:a@b");
    request.headers = headers;
    let text = String::from_utf8_lossy(&request.encode()).into_owned();
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn a_party_that_could_not_stand_in_a_first_line_is_none() {
    for text in ["p:one@127.0.0.1>;tag=far", "sip:one@a b", "<sip:one@127.0.0.1\u{1};x>", "x:\u{7f}", "<x:a>b>;tag=1 <"]
    {
        let read = NameAddr::parse(text);
        let word =
            |party: &NameAddr| !party.uri.contains(['<', '>', '"', ' ']) && !party.uri.chars().any(char::is_control);
        assert!(read.as_ref().is_none_or(word), "{text:?} is read as {read:?}");
    }
    assert_eq!(
        NameAddr::parse("sip:one@127.0.0.1 ;tag=far").and_then(|to| to.tag().map(str::to_owned)).as_deref(),
        Some("far")
    );
}

#[test]
fn a_way_that_cannot_be_written_again_is_none() {
    let flaw = |routes: &str| {
        let text = SEEDS[0].replace("<sip:p;lr>,<sip:q>", routes);
        match parse_datagram(text.as_bytes(), 128).map(|parsed| parsed.message) {
            Ok(Message::Request(request)) => Essentials::of_request(&request).err().map(|flaw| flaw.0),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(flaw("\"The edge\" <sip:p;lr>, <sips:q>"), None);
    assert_eq!(flaw(&["<sip:p;lr>"; 30].join(",")), None);
    assert_eq!(flaw(&["<sip:p;lr>"; 31].join(",")), Some("too many Record-Routes"));
    assert_eq!(flaw(""), None);
    for broken in ["sip:p;lr", "<sip:p;lr", "\"a,<sip:p;lr>, \"a", "<p;lr>"] {
        assert_eq!(flaw(broken), Some("bad Record-Route"), "{broken:?}");
    }
}
