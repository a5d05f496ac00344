//! `kill -9` in the middle of a recording, and whatever else a boot may find.

mod rig;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rig::{Caller, recorder, spec};
use ringback_recorder::{
    Recorder, RecorderConfig, Stage,
    integrity::{Verdict, verify},
    repair::{RepairOutcome, finished_summary, repair},
    wav::{Shape, header, read_all},
};

/// Names the folder for the child of [`a_killed_writer_loses_less_than_a_second`].
const CHILD_DIR: &str = "RINGBACK_RECORDER_TEST_DIR";

/// Not a test of its own: what the child process does. Speaks in real time with the default limits until it is killed.
#[test]
fn child_that_records_until_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let (recorder, _events) = Recorder::start(RecorderConfig { reserve_bytes: 0, ..RecorderConfig::new(dir) }).unwrap();
    let mut caller = Caller::new(recorder.open(spec(77, "rc_killed")));
    caller.mark("announcement", true);
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        caller.say(1);
        std::thread::sleep(caller.at(caller.next).saturating_duration_since(Instant::now()));
    }
}

#[test]
fn a_killed_writer_loses_less_than_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_records_until_killed", "--nocapture"])
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let part = dir.path().join("sacramento/2026/rc_killed.wav.part");
    rig::until("the child records", || part.exists());
    let opened = Instant::now();
    std::thread::sleep(Duration::from_millis(3_350));
    let spoken = opened.elapsed();

    // While the child lives, its file is not ours to repair.
    assert_eq!(repair(dir.path()), []);
    child.kill().unwrap();
    child.wait().unwrap();
    let (_, _, before) = read_all(&part).expect("plays even unrepaired");

    let repaired = repair(dir.path());
    assert_eq!(repaired.len(), 1);
    assert_eq!((repaired[0].key, repaired[0].path.as_str()), (Some(77), "sacramento/2026/rc_killed.wav"));
    let RepairOutcome::Repaired { summary, links_intact } = &repaired[0].outcome else { panic!("{repaired:?}") };
    assert!(summary.repaired && *links_intact);
    let kept = Duration::from_millis(summary.duration_ms);
    assert!(kept + Duration::from_secs(1) >= spoken, "kept {kept:?} of {spoken:?}");
    assert_eq!(summary.offset_ms, 1_500);
    assert_eq!((summary.marks[0].name.as_str(), summary.marks[0].end_ms), ("announcement", Some(summary.duration_ms)));
    let path = dir.path().join(&summary.path);
    let (_, _, samples) = read_all(&path).unwrap();
    assert_eq!(samples.len() as u64, summary.samples);
    assert!(samples.starts_with(&before));
    assert!(samples.iter().skip(200).all(|&sample| sample != 0), "the sound is whole");
    assert!(matches!(verify(&path, None).unwrap(), Verdict::Intact { .. }));
    assert_eq!(&finished_summary(dir.path(), &summary.path).unwrap(), summary);
    assert_eq!(repair(dir.path()), [], "nothing is left to repair");
}

#[test]
fn the_length_of_the_file_is_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("a/rc_x.wav.part");
    fs::create_dir(dir.path().join("a")).unwrap();
    // The header says 320 bytes; there are 3 frames and a torn one.
    let mut bytes = header(1, 320);
    bytes.extend(std::iter::repeat_n(7, 3 * 320 + 101));
    fs::write(&part, bytes).unwrap();
    let repaired = repair(dir.path());
    let RepairOutcome::Repaired { summary, .. } = &repaired[0].outcome else { panic!("{repaired:?}") };
    assert_eq!((summary.samples, repaired[0].key), (480, None));
    let fixed = fs::read(dir.path().join("a/rc_x.wav")).unwrap();
    assert_eq!(fixed[..44], header(1, 960));
    assert_eq!(Shape::read(&fixed).unwrap().pcm_bytes, 960);
}

#[test]
fn sound_changed_between_crash_and_boot_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _events) = recorder(dir.path());
    let mut caller = Caller::new(recorder.open(spec(1, "rc_c")));
    caller.say_slowly(4_000);
    let sidecar = dir.path().join("sacramento/2026/rc_c.json");
    rig::until("a link is noted", || {
        ringback_recorder::Sidecar::read(&sidecar)
            .is_ok_and(|beside| beside.links.len() == 1 && beside.stage == Stage::Recording)
    });
    // As after a crash: the files as they are now, elsewhere.
    let crashed = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(dir.path().join("sacramento/2026/rc_c.wav.part")).unwrap();
    bytes[5_000] ^= 0x40;
    fs::write(crashed.path().join("rc_c.wav.part"), bytes).unwrap();
    fs::copy(&sidecar, crashed.path().join("rc_c.json")).unwrap();
    let repaired = repair(crashed.path());
    assert!(matches!(repaired[0].outcome, RepairOutcome::Repaired { links_intact: false, .. }), "{repaired:?}");
    recorder.shutdown();
}

#[test]
fn what_is_empty_goes_and_what_is_foreign_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rc_a.wav.part"), []).unwrap();
    fs::write(dir.path().join("rc_b.wav.part"), header(1, 0)).unwrap();
    fs::write(
        dir.path().join("rc_c.wav.part"),
        b"PK\x03\x04 this is somebody's archive, longer than any header of ours",
    )
    .unwrap();
    fs::write(dir.path().join("rc_d.wav"), b"finished, whatever it is").unwrap();
    let outcomes: Vec<_> = repair(dir.path()).into_iter().map(|found| found.outcome).collect();
    assert!(
        matches!(outcomes[..], [RepairOutcome::Empty, RepairOutcome::Empty, RepairOutcome::Damaged { .. }]),
        "{outcomes:?}"
    );
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["rc_c.wav.damaged", "rc_d.wav"]);
    assert_eq!(repair(Path::new("/nowhere/at/all")), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes, with or without our header, with any sidecar: no panic, and what is called repaired plays.
    #[test]
    fn any_bytes_are_survived(
        start in prop_oneof![Just(Vec::new()), Just(header(1, 640)), Just(vec![0; 44]), prop::collection::vec(any::<u8>(), 0..60)],
        rest in prop::collection::vec(any::<u8>(), 0..2_000),
        sidecar in prop_oneof![Just(None), prop::collection::vec(any::<u8>(), 0..300).prop_map(Some)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rc_g.wav.part"), [start, rest].concat()).unwrap();
        if let Some(sidecar) = sidecar {
            fs::write(dir.path().join("rc_g.json"), sidecar).unwrap();
        }
        let found = repair(dir.path());
        prop_assert_eq!(found.len(), 1);
        if let RepairOutcome::Repaired { summary, .. } = &found[0].outcome {
            let (_, _, samples) = read_all(&dir.path().join(&summary.path)).unwrap();
            prop_assert_eq!(samples.len() as u64, summary.samples);
            prop_assert_eq!(samples.len() % 160, 0);
        }
        prop_assert_eq!(repair(dir.path()), vec![], "a second boot finds nothing");
    }
}
