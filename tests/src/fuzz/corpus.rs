//! The inputs fuzzing starts from: good ones, and odd ones of the kinds RFC 4475 lists, in our own words.

/// Words of SIP and SDP.
pub const SIP_WORDS: &[&[u8]] = &[
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"UPDATE",
    b"PRACK",
    b"INFO",
    b"SIP/2.0",
    b"SIP/2.0 ",
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"Via: ",
    b"v: ",
    b"SIP/2.0/UDP ",
    b"SIP/2.0/TCP ",
    b";branch=z9hG4bKnear",
    b";branch=",
    b";rport",
    b";received=",
    b"From: ",
    b"To: ",
    b"Call-ID: ",
    b"CSeq: ",
    b"Contact: ",
    b"Content-Length: ",
    b"l: ",
    b"Content-Type: application/sdp",
    b"multipart/mixed;boundary=x",
    b"--x\r\n",
    b";tag=",
    b";tag=near",
    b"Route: ",
    b"Record-Route: ",
    b"Require: 100rel",
    b"Supported: timer",
    b"RSeq: 1",
    b"RAck: 1 1 INVITE",
    b"Session-Expires: 90;refresher=uas",
    b"Min-SE: 90",
    b"WWW-Authenticate: Digest ",
    b"Proxy-Authenticate: Digest ",
    b"realm=\"carrier\"",
    b"nonce=\"\"",
    b"qop=\"auth,auth-int\"",
    b"algorithm=SHA-256",
    b"algorithm=MD5",
    b"stale=true",
    b"<sip:",
    b"sips:",
    b"tel:",
    b"@127.0.0.1",
    b"[::1]",
    b"[2001:db8::1]:5060",
    b";lr",
    b";transport=tcp",
    b"%00",
    b"%",
    b"\"",
    b"\\\"",
    b"<",
    b">",
    b"*",
    b"100 ",
    b"183 ",
    b"200 ",
    b"401 ",
    b"407 ",
    b"422 ",
    b"486 ",
    b"487 ",
    b"491 ",
    b"699 ",
    b"v=0\r\n",
    b"m=audio 4000 RTP/AVP 0\r\n",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"m=video 1 RTP/AVP 99\r\n",
    b"c=IN IP4 0.0.0.0\r\n",
    b"c=IN IP6 ::1\r\n",
    b"a=rtpmap:0 PCMU/8000\r\n",
    b"a=sendonly\r\n",
    b"a=inactive\r\n",
    b"a=rtcp:1\r\n",
];

const SDP: &str = "v=0\r\no=phone 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// The call every stack under test has placed: its Call-ID, From-tag and branch.
pub const CALL_ID: &str = "fuzzed@near";
pub const FROM_TAG: &str = "near";
pub const BRANCH: &str = "z9hG4bKnear";

fn message(start: &str, cseq: &str, more: &str, body: &str) -> Vec<u8> {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch={BRANCH}\r\nMax-Forwards: 70\r\nFrom: \"County\" <sip:+19165550000@127.0.0.1>;tag={FROM_TAG}\r\n\
         To: <sip:+19165550100@127.0.0.1>;tag=far\r\nCall-ID: {CALL_ID}\r\nCSeq: {cseq}\r\nContact: <sip:phone@127.0.0.1:5062>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// From the far side of the call: its requests have From and To the other way round.
fn request(method: &str, cseq: u32, more: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} sip:near@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;rport;branch=z9hG4bKfar{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:+19165550100@127.0.0.1>;tag=far\r\nTo: <sip:+19165550000@127.0.0.1>;tag={FROM_TAG}\r\nCall-ID: {CALL_ID}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:phone@127.0.0.1:5062>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn sip() -> Vec<Vec<u8>> {
    let sdp_type = "Content-Type: application/sdp\r\n";
    let digest = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\", opaque=\"x\"\r\n\
                  WWW-Authenticate: Digest realm=\"carrier\", nonce=\"def\", algorithm=MD5, stale=true\r\n";
    let multipart = format!(
        "--x\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
    );
    let routes = "Record-Route: <sip:127.0.0.1;lr>, \"a, b\" <sip:[2001:db8::9]:5070;lr;x=\"y;z\">\r\n";
    let mut corpus = vec![
        message("SIP/2.0 100 Trying", "1 INVITE", "", ""),
        message("SIP/2.0 180 Ringing", "1 INVITE", "Require: 100rel\r\nRSeq: 7\r\n", ""),
        message("SIP/2.0 183 Session Progress", "1 INVITE", sdp_type, SDP),
        message(
            "SIP/2.0 200 OK",
            "1 INVITE",
            &format!("{routes}{sdp_type}Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n"),
            SDP,
        ),
        message("SIP/2.0 200 OK", "1 INVITE", "Content-Type: multipart/mixed;boundary=\"x\"\r\n", &multipart),
        message("SIP/2.0 401 Unauthorized", "1 INVITE", digest, ""),
        message("SIP/2.0 407 Proxy Authentication Required", "1 INVITE", &digest.replace("WWW", "Proxy"), ""),
        message("SIP/2.0 422 Session Interval Too Small", "1 INVITE", "Min-SE: 1800\r\n", ""),
        message("SIP/2.0 486 Busy Here", "1 INVITE", "Reason: Q.850;cause=17;text=\"busy\"\r\n", ""),
        message("SIP/2.0 487 Request Terminated", "1 INVITE", "", ""),
        message("SIP/2.0 200 OK", "1 CANCEL", "", ""),
        message("SIP/2.0 200 OK", "2 BYE", "", ""),
        message("SIP/2.0 491 Request Pending", "2 INVITE", "", ""),
        request("OPTIONS", 1, "", "").to_vec(),
        request("INVITE", 2, sdp_type, SDP),
        request("ACK", 2, "", ""),
        request("UPDATE", 3, "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\n", ""),
        request("INFO", 4, "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n"),
        request("PRACK", 5, "RAck: 7 1 INVITE\r\n", ""),
        request("CANCEL", 2, "", ""),
        request("BYE", 6, "Reason: SIP;cause=200\r\n", ""),
        request("SUBSCRIBE", 7, "Event: presence\r\n", ""),
    ];
    corpus.extend(ODD.iter().map(|text| text.as_bytes().to_vec()));
    corpus.push(b"OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK\xfc\r\nFrom: J\xfcrgen <sip:a@b>;tag=\xff\r\nTo: <sip:c@d>\r\nCall-ID: \x80\r\nCSeq: 1 OPTIONS\r\n\r\n".to_vec());
    corpus
}

/// Unusual, right or wrong: compact and folded headers, odd spaces, escapes, missing and repeated parts, wrong lengths.
const ODD: &[&str] = &[
    "OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nv: SIP / 2.0 / UDP h : 9 ;branch=z9hG4bKc\r\n ,SIP/2.0/TCP h2;maddr=224.2.0.1;ttl=16\r\nf: \"J\\\"R\" <sip:a@b> ; tag = n\r\nt: sip:100@127.0.0.1\r\ni: c\r\nCSEQ: 0009\r\n OPTIONS\r\nm:*\r\nl: 0\r\n\r\n",
    "INVITE sip:%31%30%30;a=b?x=%20@127.0.0.1;x SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::1]:5060;received=::1;branch=z9hG4bK1;rport=\r\nFrom: <tel:+1-916-555-0100;phone-context=x>;tag=1\r\nTo: \"\\\\\" <sips:x@[::1]>\r\nCall-ID: a@b\r\nCSeq: 2147483647 INVITE\r\nMax-Forwards: 0\r\n\r\n",
    "INVITE  sip:a@b  SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n",
    "BYE sip:a@b SIP/7.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK2\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 4294967296 BYE\r\nContent-Length: -5\r\n\r\n",
    "SIP/2.0 4294967301 overflow\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK3\r\n\r\n",
    "SIP/2.0 200\r\nVia: x\r\nFrom: a\r\nTo: b\r\nCall-ID:\r\nCSeq: 1\r\nContent-Length: 99999\r\n\r\nshort",
    "\r\n\r\n\r\nREGISTER sip:h SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: <sip:\u{3b1}@h>;tag=\u{1f4de}\nTo: <>\nCall-ID: 1\nCSeq: 1 REGISTER\nContact: <sip:a@h>, <sip:b@h;expires=1>;q=0.5\nContent-Length: 3\nContent-Length: 4\n\nabcd",
    "INVITE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK4\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nRequire: foo, bar\r\nContent-Type: application/unknown\r\nContent-Length: 2\r\n\r\nhi",
];

pub fn sdp() -> Vec<Vec<u8>> {
    [
        SDP,
        "v=0\no=- 1 1 IN IP6 ::1\ns= \nc=IN IP6 2001:db8::7/127\nt=0 0\na=inactive\nm=video 5000 RTP/AVP 96\nm=audio 5002/2 RTP/AVPF 111 0\nc=IN IP4 224.1.1.1/127/3\na=rtpmap:111 opus/48000/2\na=rtcp:5003 IN IP4 127.0.0.1\na=rtcp-mux\n",
        "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 97 8\r\na=rtpmap:97 pcmu/8000/1\r\na=sendonly\r\nm=audio 0 RTP/SAVP 0\r\n",
        "m=audio 65536 RTP/AVP 0\r\n",
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:x\r\na=rtcp-mux\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=candidate:1 2 udp 1 127.0.0.1 9 typ host\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Datagrams of the media ports: RTP with everything it may carry, RTCP, STUN, DTLS, a digit.
pub fn datagrams() -> Vec<Vec<u8>> {
    let rtp = |first: u8, second: u8, more: &[u8]| {
        let mut packet = vec![first, second, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7];
        packet.extend_from_slice(more);
        packet
    };
    let report = |kind: u8, words: u8| {
        let mut packet = vec![0x81, kind, 0, words, 0, 0, 0, 7];
        packet.resize(4 * (usize::from(words) + 1), 9);
        packet
    };
    let mut stun = vec![0, 1, 0, 44, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([5; 12]);
    stun.extend([0, 6, 0, 11]);
    stun.extend(b"alice:bobby\0");
    stun.extend([0, 0x25, 0, 0]);
    stun.extend([0, 8, 0, 20]);
    stun.extend([6; 20]);
    stun.resize(64, 0);
    vec![
        rtp(0x80, 0, &[0xff; 160]),
        rtp(0x82, 0x88, &[1; 60]),
        rtp(0x90, 8, &[0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 5, 5]),
        rtp(0xa0, 0, &[1, 2, 3, 4]),
        rtp(0x80, 101, &[5, 0x0a, 0, 160]),
        rtp(0x80, 0xe5, &[5, 0x8a, 3, 32]),
        report(200, 12),
        [report(201, 7), report(202, 2), report(203, 1)].concat(),
        stun,
        vec![1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4],
        Vec::new(),
    ]
}
