//! The whole call from its legs, byte by byte.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::prelude::*;
use ringback_recorder::{
    shelf::{DirShelf, MAX_RANGE_BYTES, Shelf},
    stereo::{Channel, Gaps, LONGEST_GAP_MS, LegTrack, LegWav, StereoWav},
    wav::{Shape, header, read_all},
};

fn put(dir: &Path, name: &str, samples: &[i16]) {
    let mut bytes = header(1, samples.len() as u64 * 2);
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    fs::write(dir.join(name), bytes).unwrap();
}

fn leg(rel: &str, offset_ms: u64, channel: Channel) -> LegTrack {
    LegTrack { rel: rel.into(), offset_ms, channel }
}

fn pairs(bytes: &[u8]) -> Vec<(i16, i16)> {
    bytes[44..].chunks_exact(4).map(|b| (i16::from_le_bytes([b[0], b[1]]), i16::from_le_bytes([b[2], b[3]]))).collect()
}

#[test]
fn legs_lie_on_their_sides_at_their_offsets_and_add_up() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rc_c.wav", &[100; 1_600]);
    put(dir.path(), "rc_a.wav", &[20_000; 800]);
    put(dir.path(), "rc_b.wav", &[-32_000; 800]);
    put(dir.path(), "rc_d.wav", &[20_000; 80]);
    let shelf = DirShelf::shared(dir.path()).unwrap();
    let legs = [
        leg("rc_a.wav", 5_050, Channel::Right),
        leg("rc_c.wav", 5_000, Channel::Left),
        leg("rc_b.wav", 5_140, Channel::Right),
        leg("rc_d.wav", 5_050, Channel::Right),
    ];
    let call = StereoWav::open(shelf, &legs, Gaps::Shortened).unwrap();
    assert_eq!((call.duration_ms(), call.len()), (240, 44 + 4 * 1_920));
    let bytes = call.read_range(0, call.len() + 100).unwrap();
    assert_eq!(bytes.len() as u64, call.len());
    let shape = Shape::read(&bytes).unwrap();
    assert_eq!((shape.channels, shape.sample_rate, shape.pcm_bytes), (2, 8_000, 4 * 1_920));
    let heard = pairs(&bytes);
    assert_eq!(heard[0], (100, 0));
    assert_eq!(heard[399], (100, 0));
    assert_eq!(heard[400], (100, 32_767), "two agents at once are added and kept within 16 bits");
    assert_eq!(heard[480], (100, 20_000));
    assert_eq!(heard[1_120], (100, -12_000));
    assert_eq!(heard[1_200], (100, -32_000));
    assert_eq!(heard[1_600], (0, -32_000));
    // And hound agrees.
    fs::write(dir.path().join("whole.wav"), &bytes).unwrap();
    let (rate, channels, samples) = read_all(&dir.path().join("whole.wav")).unwrap();
    assert_eq!((rate, channels, samples.len()), (8_000, 2, 3_840));
}

#[test]
fn hours_between_attempts_are_shortened_and_marks_follow() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rc_1.wav", &[1; 8_000]);
    put(dir.path(), "rc_2.wav", &[2; 8_000]);
    put(dir.path(), "rc_3.wav", &[3; 8_000]);
    let shelf = DirShelf::shared(dir.path()).unwrap();
    // Asked for on Friday, called on Monday, once more an hour later, and transferred two seconds after that.
    let monday = 3 * 86_400_000;
    let hour = 3_600_000;
    let legs = [
        leg("rc_1.wav", monday, Channel::Left),
        leg("rc_2.wav", monday + hour, Channel::Left),
        leg("rc_3.wav", monday + hour + 3_000, Channel::Right),
    ];
    let call = StereoWav::open(shelf.clone(), &legs, Gaps::Shortened).unwrap();
    assert_eq!(call.duration_ms(), 1_000 + LONGEST_GAP_MS + 1_000 + 2_000 + 1_000);
    assert_eq!(call.view_ms(monday + 500), 500);
    assert_eq!(call.view_ms(monday + hour + 500), 4_500);
    assert_eq!(call.view_ms(monday + hour + 3_500), 7_500);
    assert_eq!(call.view_ms(monday + hour / 2), 4_000, "a moment in between is not behind what follows");
    assert_eq!(call.view_ms(0), 0);
    let heard = pairs(&call.read_range(0, call.len()).unwrap());
    assert_eq!((heard[7_999], heard[8_000], heard[31_999], heard[32_000]), ((1, 0), (0, 0), (0, 0), (2, 0)));
    assert_eq!((heard[55_999], heard[56_000]), ((0, 0), (0, 3)));
    let kept = StereoWav::open(shelf, &legs[..2], Gaps::Kept).unwrap();
    assert_eq!(kept.duration_ms(), hour + 1_000);
}

#[test]
fn peaks_are_the_extremes_of_each_column() {
    let dir = tempfile::tempdir().unwrap();
    let mut loud = vec![0; 80_000];
    (loud[10], loud[79_999], loud[40_000]) = (500, -700, 900);
    put(dir.path(), "rc_l.wav", &loud);
    put(dir.path(), "rc_r.wav", &[-5; 400]);
    let shelf = DirShelf::shared(dir.path()).unwrap();
    let legs = [leg("rc_l.wav", 0, Channel::Left), leg("rc_r.wav", 0, Channel::Right)];
    let call = StereoWav::open(shelf, &legs, Gaps::Shortened).unwrap();
    let peaks = call.peaks(4).unwrap();
    assert_eq!(peaks.left, [(0, 500), (0, 0), (0, 900), (-700, 0)]);
    assert_eq!(peaks.right, [(-5, 0), (0, 0), (0, 0), (0, 0)]);
    assert_eq!(peaks.duration_ms, 10_000);
    assert!(call.peaks(0).is_err() && call.peaks(1 << 20).is_err());
}

/// A shelf that notes the largest read, to see that nothing reads whole files.
struct Watched(DirShelf, AtomicU64);

impl Shelf for Watched {
    fn len(&self, name: &str) -> io::Result<u64> {
        self.0.len(name)
    }
    fn read_range(&self, name: &str, from: u64, to: u64) -> io::Result<Vec<u8>> {
        self.1.fetch_max(to - from, Ordering::SeqCst);
        self.0.read_range(name, from, to)
    }
}

#[test]
fn only_what_is_asked_for_is_read() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rc_long.wav", &vec![9; 8_000 * 600]);
    let watched = Arc::new(Watched(DirShelf::open(dir.path()).unwrap(), AtomicU64::new(0)));
    let legs = [leg("rc_long.wav", 0, Channel::Left)];
    let call = StereoWav::open(watched.clone(), &legs, Gaps::Shortened).unwrap();
    call.read_range(1_000_000, 1_065_536).unwrap();
    assert!(watched.1.load(Ordering::SeqCst) <= 65_536 / 2 + 4_096);
    call.peaks(800).unwrap();
    assert!(watched.1.load(Ordering::SeqCst) <= 1 << 18, "peaks read in pieces");
    assert!(call.read_range(0, MAX_RANGE_BYTES + 1).is_err());
    assert!(call.read_range(10, 9).is_err());
}

#[test]
fn what_is_no_recording_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.wav"), b"RIFF....WAVEjunk").unwrap();
    put(dir.path(), "rc.wav", &[1; 160]);
    let shelf = DirShelf::shared(dir.path()).unwrap();
    for name in ["bad.wav", "absent.wav", "../rc.wav"] {
        assert!(StereoWav::open(shelf.clone(), &[leg(name, 0, Channel::Left)], Gaps::Kept).is_err(), "{name}");
    }
    assert!(StereoWav::open(shelf.clone(), &[], Gaps::Kept).is_err());
    let far = [leg("rc.wav", 0, Channel::Left), leg("rc.wav", u64::MAX, Channel::Right)];
    assert!(StereoWav::open(shelf.clone(), &far, Gaps::Kept).is_err(), "18 hours at most");
    assert!(StereoWav::open(shelf, &far, Gaps::Shortened).is_ok());
}

#[test]
fn a_shelf_never_leaves_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside.wav");
    fs::write(&outside, b"secret").unwrap();
    let root = dir.path().join("shelf");
    fs::create_dir_all(root.join("t")).unwrap();
    put(&root, "t/rc_1.wav", &[1; 160]);
    fs::write(root.join("t/rc_1.json"), b"{}").unwrap();
    std::os::unix::fs::symlink(&outside, root.join("link.wav")).unwrap();
    std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
    let shelf = DirShelf::open(&root).unwrap();
    let absolute = outside.to_str().unwrap();
    let names = [
        "../outside.wav",
        "t/../../outside.wav",
        absolute,
        "link.wav",
        "up/outside.wav",
        "t/rc_1.json",
        "t\\..\\rc.wav",
        "t//rc_1.wav",
        "./t/rc_1.wav",
        "t/rc_1.wav\0",
        "",
        ".wav",
        "t/rc 1.wav",
        "%2e%2e/outside.wav",
    ];
    for name in names {
        assert!(shelf.len(name).is_err(), "{name}");
        assert!(shelf.read_range(name, 0, 6).is_err(), "{name}");
        let _ = shelf.remove(name);
    }
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
    assert_eq!(shelf.len("t/rc_1.wav").unwrap(), 44 + 320);
    assert_eq!(shelf.read_range("t/rc_1.wav", 360, 1_000).unwrap(), [1, 0, 1, 0]);
    assert!(shelf.read_range("t/rc_1.wav", 5_000, 5_001).unwrap().is_empty());
    assert!(shelf.read_range("t/rc_1.wav", 2, 1).is_err());
    shelf.remove("t/rc_1.wav").unwrap();
    shelf.remove("t/rc_1.wav").unwrap();
    assert!(!root.join("t/rc_1.json").exists());
}

#[test]
fn one_leg_passes_through() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rc_1.wav", &[1, 2, 3, 4]);
    let leg = LegWav::open(DirShelf::shared(dir.path()).unwrap(), "rc_1.wav").unwrap();
    assert_eq!(leg.len(), 52);
    let whole = leg.read_range(0, 52).unwrap();
    assert_eq!(whole, fs::read(dir.path().join("rc_1.wav")).unwrap());
    assert_eq!(leg.read_range(40, 99).unwrap(), whole[40..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any range is that part of the whole.
    #[test]
    fn any_range_is_part_of_the_whole(
        legs in prop::collection::vec((0u64..2_000, 1usize..3_000, any::<bool>(), any::<i16>()), 1..6),
        ranges in prop::collection::vec((0u64..40_000, 0u64..9_000), 1..20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut tracks = Vec::new();
        for (index, (offset, len, left, seed)) in legs.into_iter().enumerate() {
            let name = format!("rc_{index}.wav");
            let samples: Vec<i16> = (0..len).map(|n| seed.wrapping_mul(n as i16 + 3)).collect();
            put(dir.path(), &name, &samples);
            tracks.push(leg(&name, offset, if left { Channel::Left } else { Channel::Right }));
        }
        let call = StereoWav::open(DirShelf::shared(dir.path()).unwrap(), &tracks, Gaps::Shortened).unwrap();
        let whole = call.read_range(0, call.len()).unwrap();
        prop_assert_eq!(whole.len() as u64, call.len());
        for (from, len) in ranges {
            let part = call.read_range(from, from + len).unwrap();
            let begin = from.min(call.len()) as usize;
            let end = (from + len).min(call.len()) as usize;
            prop_assert_eq!(&part[..], &whole[begin..end]);
        }
    }
}
