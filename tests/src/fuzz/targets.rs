//! What is fuzzed: a moment each in every run of the tests, as long as RINGBACK_FUZZ_SECONDS says in `tests/run fuzz`.

use super::{Report, corpus, mutate::Dice, run, seed, sip, sound};

#[allow(clippy::print_stdout, reason = "figures of a run, shown with --nocapture")]
fn is_whole(report: &Report) {
    println!("{report}");
    assert!(report.broken_by.is_none(), "{report}; seed {}", seed());
    assert!(report.kinds > 5, "the inputs get past the door: {report}");
}

#[test]
fn fuzz_sip_messages() {
    is_whole(&run("SIP messages", &corpus::sip(), corpus::SIP_WORDS, sip::message));
}

#[test]
fn fuzz_sip_streams() {
    let mut dice = Dice::new(seed());
    is_whole(&run("SIP streams", &corpus::sip(), corpus::SIP_WORDS, |input| sip::stream(input, &mut dice)));
}

#[test]
fn fuzz_the_sip_stack_with_a_call_on_it() {
    let mut exchange = sip::Exchange::new(seed());
    is_whole(&run("SIP stack", &corpus::sip(), corpus::SIP_WORDS, |input| exchange.receive(input)));
}

#[test]
fn fuzz_session_descriptions() {
    is_whole(&run("session descriptions", &corpus::sdp(), corpus::SIP_WORDS, sound::description));
}

#[test]
fn fuzz_media_ports() {
    let mut socket = sound::Socket::default();
    is_whole(&run("media ports", &corpus::datagrams(), &[], |input| socket.receive(input)));
}

#[test]
fn fuzz_sound_in_every_codec() {
    let mut voices = sound::Voices::default();
    let seeds = [
        vec![0xf8, 0xff, 0xfe],
        vec![0xfd; 160],
        vec![0x08, 0x0b, 0xe4, 0xc1, 0x36],
        vec![0x7c; 40],
        vec![0xfb, 3, 1, 2, 3],
    ];
    is_whole(&run("sound", &seeds, &[], |input| voices.receive(input)));
}

#[test]
fn fuzz_recordings_that_a_crash_left() {
    let shelf = sound::Shelf::open();
    let with = |first: u8, rest: Vec<u8>| [vec![first], rest].concat();
    let seeds =
        [with(1, sound::left_behind()), with(0, shelf.sidecar()), with(1, vec![0; 400]), with(1, b"RIFF".to_vec())];
    is_whole(&run(
        "recordings",
        &seeds,
        &[b"RIFF", b"WAVE", b"data", b"links", b"marks", b"stage", b"null"],
        |input| shelf.repair(input),
    ));
}
