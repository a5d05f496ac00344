use super::*;
use proptest::prelude::*;

const LIMIT: usize = 65_536;

fn origin() -> Origin {
    Origin { id: 42, version: 1, rtp: SocketAddr::from(([192, 0, 2, 10], 20_000)) }
}

#[test]
fn our_offer_reads_back() {
    let remote = parse(&offer(&origin(), &Codecs::default(), "RTP/AVP", &[]), LIMIT).unwrap();
    assert_eq!(remote.rtp, origin().rtp);
    assert_eq!(remote.rtcp.port(), 20_001);
    let listed = [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9), (Codec::Opus, 111)];
    assert_eq!(Some(remote.formats), Formats::of(&listed, Some(101)));
    assert_eq!(remote.direction, Direction::SendRecv);
}

#[test]
fn static_payload_types_need_no_rtpmap() {
    let remote = parse("v=0\nc=IN IP4 198.51.100.7\nm=audio 4000 RTP/AVP 8 0\n", LIMIT).unwrap();
    assert_eq!(remote.formats.codec, Codec::Pcma);
    assert_eq!(remote.formats.payload_type(Codec::Pcmu), Some(0));
    assert_eq!(remote.formats.event, None);
    assert_eq!(remote.rtcp, SocketAddr::from(([198, 51, 100, 7], 4001)));
}

#[test]
fn dynamic_payload_types_and_opus_first() {
    let text = "v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 111 97 96 110\r\na=rtpmap:111 opus/48000/2\r\n\
                a=rtpmap:97 pcmu/8000/1\r\na=rtpmap:96 telephone-event/8000\r\na=rtpmap:110 telephone-event/48000\r\n";
    let remote = parse(text, LIMIT).unwrap();
    assert_eq!(Some(remote.formats), Formats::of(&[(Codec::Opus, 111), (Codec::Pcmu, 97)], Some(96)));
    assert_eq!(remote.within(&Codecs::default()).unwrap().formats.codec, Codec::Pcmu);
}

#[test]
fn of_what_both_speak_the_trunk_prefers_the_class_and_the_far_side_the_codec() {
    let remote = |formats: &str| {
        parse(&format!("v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP {formats}\r\n"), LIMIT).unwrap()
    };
    let codecs = |wanted: &[Codec]| Codecs::new(wanted).unwrap();
    let chosen =
        |formats: &str, wanted: &[Codec]| remote(formats).within(&codecs(wanted)).map(|remote| remote.formats.codec);
    assert_eq!(chosen("9 8 0", &Codec::ALL), Ok(Codec::Pcma), "G.711 passes cheapest, and A-law is what they like");
    assert_eq!(chosen("8 9 0", &[Codec::G722, Codec::Pcmu, Codec::Pcma]), Ok(Codec::G722));
    assert_eq!(chosen("9", &Codec::ALL), Ok(Codec::G722));
    assert_eq!(chosen("9", &[Codec::Pcmu, Codec::Pcma]), Err(SdpError::NotOffered));
    let left = remote("9 8 0").within(&codecs(&[Codec::Pcmu])).unwrap();
    assert_eq!(left.formats.codec_of(8), None, "what was not offered is not taken");
    let ours = offer(&origin(), &codecs(&[Codec::G722]), "RTP/AVP", &[]);
    assert!(ours.contains("RTP/AVP 9 101\r\na=rtpmap:9 G722/8000\r\n"), "{ours}");
    assert_eq!((Codecs::new(&[]), Codecs::new(&[Codec::Pcmu, Codec::Pcmu])), (None, None));
}

#[test]
fn rejected_sections_are_skipped_and_answered_with_port_zero() {
    let text = "v=0\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 0 RTP/SAVP 0\r\nm=video 5000 RTP/AVP 96\r\n\
                m=audio 6000 RTP/AVP 0 101\r\nc=IN IP4 198.51.100.8\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n";
    let remote = parse(text, LIMIT).unwrap();
    assert_eq!(remote.rtp, SocketAddr::from(([198, 51, 100, 8], 6000)), "the media level c= wins");
    let answer = answer(&origin(), &remote, None);
    assert!(
        answer.contains("m=audio 0 RTP/SAVP 0\r\nm=video 0 RTP/AVP 96\r\nm=audio 20000 RTP/AVP 0 101\r\n"),
        "{answer}"
    );
    assert!(answer.contains("a=recvonly\r\n"), "{answer}");
}

#[test]
fn hold_in_every_style() {
    let hold =
        |lines: &str, address: &str| parse(&format!("v=0\r\nc=IN IP4 {address}\r\n{lines}"), LIMIT).unwrap().direction;
    assert_eq!(hold("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n", "1.2.3.4"), Direction::SendOnly);
    assert_eq!(hold("m=audio 1 RTP/AVP 0\r\na=inactive\r\n", "1.2.3.4"), Direction::Inactive);
    assert_eq!(hold("a=recvonly\r\nm=audio 1 RTP/AVP 0\r\n", "1.2.3.4"), Direction::RecvOnly, "session level");
    assert_eq!(hold("a=inactive\r\nm=audio 1 RTP/AVP 0\r\na=sendrecv\r\n", "1.2.3.4"), Direction::SendRecv);
    assert_eq!(hold("m=audio 1 RTP/AVP 0\r\n", "0.0.0.0"), Direction::SendOnly, "the old style");
}

#[test]
fn rtcp_addresses() {
    let rtcp = |lines: &str| {
        parse(&format!("v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 0\r\n{lines}"), LIMIT).unwrap().rtcp.to_string()
    };
    assert_eq!(rtcp(""), "1.2.3.4:4001");
    assert_eq!(rtcp("a=rtcp:5005\r\n"), "1.2.3.4:5005");
    assert_eq!(rtcp("a=rtcp:5005 IN IP4 9.9.9.9\r\n"), "9.9.9.9:5005");
    assert_eq!(rtcp("a=rtcp-mux\r\n"), "1.2.3.4:4000");
}

#[test]
fn ipv6() {
    let remote = parse("v=0\r\nc=IN IP6 2001:db8::7\r\nm=audio 4000 RTP/AVP 0\r\n", LIMIT).unwrap();
    assert_eq!(remote.rtp.to_string(), "[2001:db8::7]:4000");
    let ours = Origin { rtp: "[2001:db8::1]:20000".parse().unwrap(), ..origin() };
    assert!(answer(&ours, &remote, None).contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn every_reason_to_refuse() {
    let refuse = |text: &str| parse(text, LIMIT).unwrap_err();
    assert_eq!(refuse(""), SdpError::NoAudio);
    assert_eq!(refuse("m=audio 0 RTP/AVP 0\r\n"), SdpError::NoAudio);
    assert_eq!(refuse("m=audio 4000 RTP/AVP 0\r\n"), SdpError::NoAddress);
    assert_eq!(refuse("c=IN IP4 carrier.example\r\nm=audio 4000 RTP/AVP 0\r\n"), SdpError::NoAddress);
    assert_eq!(refuse("c=IN IP4 1.2.3.4\r\nm=audio 4000 UDP/TLS/RTP/SAVP 0\r\n"), SdpError::Profile);
    assert_eq!(refuse("c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 18\r\n"), SdpError::NoCommonCodec);
    assert_eq!(parse("v=0\r\n", 2), Err(SdpError::TooLong));
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]=[ -~]{0,40}",
        "m=(audio|video|) ?[0-9]{0,7}(/2)? ?(RTP/AVP)?( [0-9]{0,4}){0,5}",
        "c=IN IP[46] [0-9a-f.:/]{0,20}",
        "a=(rtpmap|rtcp|fmtp|sendonly|inactive|rtcp-mux):?[0-9]{0,4} ?[ -~]{0,20}",
        "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "\\PC{0,300}") {
        let _ = parse(&text, LIMIT);
    }

    #[test]
    fn nearly_right_descriptions_never_panic_and_answers_read_back(lines in proptest::collection::vec(line(), 0..20)) {
        let text = lines.join("\r\n");
        if let Ok(remote) = parse(&text, LIMIT) {
            let answer = answer(&origin(), &remote, None);
            let back = parse(&answer, LIMIT).unwrap();
            prop_assert_eq!(back.rtp, origin().rtp);
            prop_assert_eq!(back.formats.codec, remote.formats.codec);
        }
    }
}
