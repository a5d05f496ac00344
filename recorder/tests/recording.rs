//! Frames through the real writer thread into real files.

mod rig;

use std::{fs, time::Duration};

use rig::{Caller, config, finished, recorder, spec, square_samples, until};
use ringback_recorder::{
    LOSS, PAUSE, Recorder, RecorderEvent, Sidecar, Stage,
    integrity::{CHUNK_BYTES, Verdict, verify},
    tone::rms,
    wav::read_all,
};

#[test]
fn what_is_said_is_on_the_disk_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(42, "rc_1")));
    caller.say(150);
    caller.sink.finish();
    let summary = finished(&mut events);
    assert_eq!((summary.key, summary.path.as_str()), (42, "sacramento/2026/rc_1.wav"));
    assert_eq!((summary.samples, summary.duration_ms, summary.offset_ms), (24_000, 3_000, 1_500));
    assert_eq!((summary.lost_frames, summary.gaps, summary.repaired), (0, 0, false));
    let path = dir.path().join(&summary.path);
    assert_eq!(fs::metadata(&path).unwrap().len(), summary.bytes);
    let (rate, channels, samples) = read_all(&path).unwrap();
    assert_eq!((rate, channels), (8_000, 1));
    // The first frame lies where it arrived: a few samples after opening.
    let lead = samples.iter().take_while(|&&sample| sample == 0).count();
    assert!(lead < 40, "{lead}");
    assert!(samples[lead..] == square_samples(150)[..samples.len() - lead]);
    assert!(!path.with_extension("wav.part").exists());
    let sidecar = Sidecar::read(&path.with_extension("json")).unwrap();
    assert_eq!((sidecar.stage, sidecar.summary), (Stage::Finished, summary));
    recorder.shutdown();
    assert!(events.blocking_recv().is_none());
}

#[test]
fn a_growing_file_plays_at_every_flush() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(1, "rc_grow")));
    let part = dir.path().join("sacramento/2026/rc_grow.wav.part");
    until("the file is made", || part.exists() && read_all(&part).is_ok());
    let mut seen = 0;
    for round in 1..=20 {
        caller.say(25);
        until("the frames are written", || {
            let (_, _, samples) = read_all(&part).expect("plays at any moment");
            assert_eq!(samples.len() % 160, 0, "whole frames");
            assert!(samples.len() >= seen, "never shorter");
            seen = samples.len();
            seen + 160 >= round * 25 * 160
        });
    }
    drop(caller);
    assert_eq!(finished(&mut events).samples / 160, 500);
    recorder.shutdown();
}

#[test]
fn marks_are_kept_and_a_pause_is_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(1, "rc_m")));
    caller.mark("announcement", true);
    caller.say(50);
    caller.mark("announcement", false);
    caller.say(50);
    caller.mark(PAUSE, true);
    caller.say(50);
    caller.mark(PAUSE, false);
    caller.say(50);
    caller.mark("hold", true);
    caller.say(50);
    caller.sink.finish();
    let summary = finished(&mut events);
    let marks: Vec<_> = summary.marks.iter().map(|mark| (mark.name.as_str(), mark.begin_ms, mark.end_ms)).collect();
    let near = |(name, begin, end): (&str, u64, Option<u64>), wanted: (&str, u64, u64)| {
        name == wanted.0 && begin.abs_diff(wanted.1) < 25 && end.is_some_and(|end| end.abs_diff(wanted.2) < 45)
    };
    assert!(near(marks[0], ("announcement", 0, 1_000)), "{marks:?}");
    assert!(near(marks[1], (PAUSE, 2_000, 3_000)), "{marks:?}");
    assert!(near(marks[2], ("hold", 4_000, 5_000)), "{marks:?}");
    let (_, _, samples) = read_all(&dir.path().join(&summary.path)).unwrap();
    assert!(samples[16_000 + 160..24_000 - 160].iter().all(|&sample| sample == 0), "what was paused is not recorded");
    assert!(samples[8_000 + 160..16_000 - 160].iter().all(|&sample| sample != 0));
    assert!(samples[24_000 + 160..32_000 - 160].iter().all(|&sample| sample != 0));
    recorder.shutdown();
}

#[test]
fn a_full_queue_loses_counts_and_marks_and_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.queue_frames = 100;
    config.drain_every = Duration::from_millis(300);
    let (recorder, mut events) = Recorder::start(config).unwrap();
    let mut caller = Caller::new(recorder.open(spec(1, "rc_o")));
    std::thread::sleep(Duration::from_millis(50));
    let before = std::time::Instant::now();
    caller.say(300);
    assert!(before.elapsed() < Duration::from_millis(50), "the media thread waited {:?}", before.elapsed());
    std::thread::sleep(Duration::from_millis(700));
    caller.say(50);
    caller.sink.finish();
    let summary = finished(&mut events);
    assert_eq!(summary.lost_frames, 200);
    let loss: Vec<_> = summary.marks.iter().filter(|mark| mark.name == LOSS).collect();
    assert_eq!(loss.len(), 1);
    assert!(loss[0].begin_ms.abs_diff(2_000) < 25 && loss[0].end_ms.unwrap().abs_diff(6_000) < 45, "{loss:?}");
    // What follows the hole is where it belongs.
    let (_, _, samples) = read_all(&dir.path().join(&summary.path)).unwrap();
    assert_eq!(samples.len() / 160, 350);
    assert!(samples[16_160..47_840].iter().all(|&sample| sample == 0));
    assert!(samples[48_160..].iter().take(7_500).all(|&sample| sample != 0));
    recorder.shutdown();
}

#[test]
fn shutting_down_closes_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut callers: Vec<_> =
        (0..20u128).map(|key| Caller::new(recorder.open(spec(key, &format!("rc_{key}"))))).collect();
    callers.iter_mut().for_each(|caller| caller.say(50));
    recorder.shutdown();
    let mut keys: Vec<u128> = (0..20).map(|_| finished(&mut events).key).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..20).collect::<Vec<_>>());
    assert_eq!(recorder.stats().open, 0);
    // A call that outlives the recorder goes on.
    callers.iter_mut().for_each(|caller| caller.say(1));
    let mut late = recorder.open(spec(99, "rc_late"));
    late.finish();
}

#[test]
fn a_name_that_leaves_the_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    for (name, subdir) in
        [("../x", "a"), ("x", "../a"), ("x", "/etc"), ("", "a"), ("x", "a//b"), ("a/b", "c"), ("x.y", "")]
    {
        let mut spec = spec(5, name);
        spec.subdir = subdir.into();
        Caller::new(recorder.open(spec)).say(10);
        assert!(matches!(events.blocking_recv(), Some(RecorderEvent::Failed { key: 5, .. })), "{subdir}/{name}");
    }
    recorder.shutdown();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_recording_never_replaces_another() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    Caller::new(recorder.open(spec(1, "rc_same"))).say(50);
    let first = finished(&mut events);
    let kept = fs::read(dir.path().join(&first.path)).unwrap();
    Caller::new(recorder.open(spec(2, "rc_same"))).say(10);
    until("the second fails", || recorder.stats().failed == 1);
    assert_eq!(fs::read(dir.path().join(&first.path)).unwrap(), kept);
    recorder.shutdown();
}

#[test]
fn tampering_shows_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(1, "rc_t")));
    caller.say_slowly(9_000);
    caller.sink.finish();
    let summary = finished(&mut events);
    recorder.shutdown();
    let path = dir.path().join(&summary.path);
    let expected = summary.sha256_chain.clone();
    assert_eq!(verify(&path, None).unwrap(), Verdict::Intact { sha256_chain: expected.clone() });
    assert_eq!(verify(&path, Some(&expected)).unwrap(), Verdict::Intact { sha256_chain: expected.clone() });

    let mut bytes = fs::read(&path).unwrap();
    bytes[44 + CHUNK_BYTES + 17] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Verdict::Changed { from_ms, .. } = verify(&path, Some(&expected)).unwrap() else { panic!("not seen") };
    assert_eq!(from_ms, Some(65_536));

    // Whoever changes the sidecar too is caught by the ledger's hash.
    let mut sidecar = Sidecar::read(&path.with_extension("json")).unwrap();
    let Verdict::Changed { found, .. } = verify(&path, None).unwrap() else { panic!("not seen") };
    sidecar.summary.sha256_chain = found.clone();
    sidecar.links = vec![found.clone()];
    fs::write(path.with_extension("json"), serde_json::to_vec(&sidecar).unwrap()).unwrap();
    assert!(matches!(verify(&path, None).unwrap(), Verdict::Intact { .. }));
    assert_eq!(verify(&path, Some(&expected)).unwrap(), Verdict::Changed { expected, found, from_ms: None });
}

/// The chain is what its description says: recomputed here by hand.
#[test]
fn the_chain_is_as_documented() {
    use sha2::{Digest, Sha256};
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(1, "rc_c")));
    caller.say_slowly(7_000);
    caller.sink.finish();
    let summary = finished(&mut events);
    recorder.shutdown();
    let bytes = fs::read(dir.path().join(&summary.path)).unwrap();
    let mut link = Sha256::digest(b"ringback recording, chain 1");
    for chunk in bytes[44..].chunks(1 << 20) {
        link = Sha256::new().chain_update(link).chain_update(chunk).finalize();
    }
    let hex: String = link.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(summary.sha256_chain, hex);
}

/// A voice that begins at any moment is whole from its first sample: before it lies silence, and of the packets nothing is
/// faded, cut or moved. Windows counted from the file's beginning meet the voice in their middle; that is where a weak
/// first window comes from, and it is at most one.
#[test]
fn the_first_packet_is_in_the_file_sample_by_sample() {
    for late in [Duration::ZERO, Duration::from_micros(125), Duration::from_micros(7_375), Duration::from_millis(33)] {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, mut events) = recorder(dir.path());
        let mut caller = Caller::new(recorder.open(spec(1, "rc_first")));
        caller.started += late;
        caller.say(20);
        drop(caller);
        let summary = finished(&mut events);
        recorder.shutdown();
        let (_, _, samples) = read_all(&dir.path().join(&summary.path)).unwrap();
        let begin = samples.iter().position(|sample| *sample != 0).unwrap();
        let expected = late.as_micros() as usize / 125;
        // The recording was opened a moment before the caller's clock was read.
        assert!((expected..expected + 800).contains(&begin), "a voice after {late:?} begins at sample {begin}");
        assert_eq!(samples[begin..begin + 20 * 160], square_samples(20));
        let weak = samples[begin / 80 * 80..]
            .chunks_exact(80)
            .take(39)
            .filter(|window| rms(window) < 0.5 * rms(&square_samples(1)));
        assert!(weak.count() <= 1, "only the window in which the voice begins may be weak");
    }
}
