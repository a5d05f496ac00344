//! A disk that fills up: calls go on, the hole is marked, recording resumes when there is space.

mod rig;

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use rig::{Caller, SQUARE, config, finished, spec, until};
use ringback_recorder::{
    LOSS, Recorder, RecorderEvent, RecorderEvents,
    integrity::{Verdict, verify},
    volume::{DirVolume, Volume, VolumeFile},
    wav::read_all,
};

/// A folder with a budget of new bytes; a write at the edge goes through by half, as on a real disk.
struct Small {
    inner: DirVolume,
    budget: Arc<AtomicI64>,
}

struct SmallFile {
    inner: Box<dyn VolumeFile>,
    budget: Arc<AtomicI64>,
    len: AtomicU64,
}

impl Volume for Small {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
        let inner = self.inner.create(path)?;
        Ok(Box::new(SmallFile { inner, budget: self.budget.clone(), len: AtomicU64::new(0) }))
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

impl VolumeFile for SmallFile {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        self.inner.read_at(bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let len = self.len.load(Ordering::SeqCst);
        let fresh = (at + bytes.len() as u64).saturating_sub(len) as i64;
        let left = self.budget.load(Ordering::SeqCst);
        let take =
            if fresh <= left { bytes.len() } else { bytes.len() - (fresh - left).min(bytes.len() as i64) as usize };
        if take == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = self.inner.write_at(&bytes[..take], at)?;
        let grown = (at + count as u64).saturating_sub(len);
        self.len.fetch_add(grown, Ordering::SeqCst);
        self.budget.fetch_sub(grown as i64, Ordering::SeqCst);
        Ok(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let before = self.len.swap(len, Ordering::SeqCst);
        self.budget.fetch_add(before as i64 - len as i64, Ordering::SeqCst);
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

fn small(dir: &Path, bytes: i64) -> (Recorder, RecorderEvents, Arc<AtomicI64>) {
    let budget = Arc::new(AtomicI64::new(bytes));
    let volume = Small { inner: DirVolume::new(dir), budget: budget.clone() };
    let (recorder, events) = Recorder::start_on(config(dir), Box::new(volume)).unwrap();
    (recorder, events, budget)
}

fn wait_for(events: &mut RecorderEvents, wanted: impl Fn(&RecorderEvent) -> bool) {
    loop {
        let event = events.blocking_recv().expect("an event");
        if wanted(&event) {
            return;
        }
    }
}

/// The sound before and after the hole is whole and in its place, the hole is silence and marked, the hash fits.
fn check_hole(dir: &Path, summary: &ringback_recorder::Summary, frames: u64) {
    let path = dir.join(&summary.path);
    let (_, _, samples) = read_all(&path).unwrap();
    assert_eq!(samples.len() as u64 / 160, frames);
    let holes: Vec<_> = summary.marks.iter().filter(|mark| mark.name == LOSS).collect();
    assert_eq!(holes.len(), 1, "{:?}", summary.marks);
    let (begin, end) = (holes[0].begin_ms as usize * 8, holes[0].end_ms.unwrap() as usize * 8);
    assert!(end > begin);
    let lead = samples.iter().take_while(|&&sample| sample == 0).count();
    for (index, &sample) in samples.iter().enumerate().skip(lead).take(frames as usize * 160 - 200 - lead) {
        let spoken = if ((index - lead) / 20).is_multiple_of(2) { SQUARE } else { -SQUARE };
        let wanted = if (begin..end).contains(&index) { 0 } else { spoken };
        assert_eq!(sample, wanted, "at sample {index}, hole {begin}..{end}");
    }
    assert!(matches!(verify(&path, Some(&summary.sha256_chain)).unwrap(), Verdict::Intact { .. }));
}

#[test]
fn a_full_disk_leaves_a_marked_hole_and_the_rest_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events, budget) = small(dir.path(), 20_001);
    let mut caller = Caller::new(recorder.open(spec(1, "rc_full")));
    caller.say_slowly(300);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskFull { .. }));
    assert!(recorder.stats().disk_full);
    let part = dir.path().join("sacramento/2026/rc_full.wav.part");
    assert!(read_all(&part).unwrap().2.len() < 10_001, "plays as far as it went");
    caller.say_slowly(200);
    std::thread::sleep(Duration::from_millis(100));
    budget.store(i64::MAX / 2, Ordering::SeqCst);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskOk { .. }));
    caller.say_slowly(200);
    caller.sink.finish();
    let summary = finished(&mut events);
    check_hole(dir.path(), &summary, 700);
    recorder.shutdown();
}

#[test]
fn a_disk_full_from_the_beginning_and_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events, budget) = small(dir.path(), 10);
    let mut unlucky = Caller::new(recorder.open(spec(1, "rc_never")));
    let mut late = Caller::new(recorder.open(spec(2, "rc_late")));
    unlucky.say(100);
    late.say(100);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskFull { .. }));
    unlucky.sink.finish();
    wait_for(&mut events, |event| matches!(event, RecorderEvent::Failed { key: 1, .. }));
    budget.store(i64::MAX / 2, Ordering::SeqCst);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskOk { .. }));
    late.say_slowly(100);
    late.sink.finish();
    let summary = finished(&mut events);
    assert_eq!(summary.key, 2);
    check_hole(dir.path(), &summary, 200);
    recorder.shutdown();
}

#[test]
fn a_call_that_ends_on_a_full_disk_keeps_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, mut events, _budget) = small(dir.path(), 20_000);
    let mut caller = Caller::new(recorder.open(spec(1, "rc_end")));
    caller.say(40);
    // 20 frames of 160 samples: the rest may still wait for packets that come late.
    until("the beginning is written", || recorder.stats().bytes_written > 20 * 320);
    caller.say_slowly(260);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskFull { .. }));
    caller.sink.finish();
    let summary = finished(&mut events);
    let (_, _, samples) = read_all(&dir.path().join(&summary.path)).unwrap();
    let len = fs::metadata(dir.path().join(&summary.path)).unwrap().len();
    assert_eq!(len, summary.bytes, "half a write is cut off again");
    // The write that met the end of the disk is taken back as a whole; how much it held is up to the recorder's turns.
    assert!(samples.len() >= 20 * 160 && samples.len() < 10_000, "{}", samples.len());
    assert_eq!(samples.len() as u64, summary.samples);
    let hole = summary.marks.iter().find(|mark| mark.name == LOSS).expect("a mark");
    assert!(hole.begin_ms.abs_diff(samples.len() as u64 / 8) <= 20, "{hole:?}, {} samples", samples.len());
    assert!(hole.end_ms.unwrap().abs_diff(6_000) <= 20, "{hole:?}");
    recorder.shutdown();
}

/// The same on a real file system of 1 MiB, where root may mount one.
#[test]
fn a_real_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "ringback-test"]).arg(dir.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("no mount here: covered by the injected errors");
        return;
    }
    let ballast = dir.path().join("ballast");
    fs::write(&ballast, vec![1; 700 << 10]).unwrap();
    let (recorder, mut events) = Recorder::start(config(dir.path())).unwrap();
    let mut caller = Caller::new(recorder.open(spec(1, "rc_real")));
    caller.say_slowly(1_500);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskFull { .. }));
    fs::remove_file(&ballast).unwrap();
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskOk { .. }));
    caller.say_slowly(500);
    caller.sink.finish();
    let summary = finished(&mut events);
    recorder.shutdown();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(copy.path().join("sacramento/2026")).unwrap();
    fs::copy(dir.path().join(&summary.path), copy.path().join(&summary.path)).unwrap();
    Command::new("umount").arg(dir.path()).status().unwrap();
    check_hole(copy.path(), &summary, 2_000);
}

/// Free space below the reserve belongs to the ledger: nothing is written, with alarms for both limits.
#[test]
fn the_reserve_is_not_touched() {
    struct Shrinking(DirVolume, Arc<AtomicU64>);
    impl Volume for Shrinking {
        fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
            self.0.create(path)
        }
        fn free_bytes(&self) -> Option<u64> {
            Some(self.1.load(Ordering::SeqCst))
        }
        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(900));
    let mut config = config(dir.path());
    (config.min_free_bytes, config.reserve_bytes) = (1_000, 100);
    let volume = Shrinking(DirVolume::new(dir.path()), free.clone());
    let (recorder, mut events) = Recorder::start_on(config, Box::new(volume)).unwrap();
    assert_eq!(events.blocking_recv(), Some(RecorderEvent::DiskLow { free_bytes: 900 }));
    free.store(99, Ordering::SeqCst);
    wait_for(&mut events, |event| matches!(event, RecorderEvent::DiskFull { .. }));
    let mut caller = Caller::new(recorder.open(spec(1, "rc_r")));
    caller.say(100);
    std::thread::sleep(Duration::from_millis(100));
    assert!(File::open(dir.path().join("sacramento/2026/rc_r.wav.part")).is_err());
    free.store(5_000, Ordering::SeqCst);
    assert_eq!(events.blocking_recv(), Some(RecorderEvent::DiskOk { free_bytes: Some(5_000) }));
    until("writing goes on", || recorder.stats().bytes_written > 0);
    caller.sink.finish();
    assert_eq!(finished(&mut events).samples, 16_000);
    recorder.shutdown();
}

/// What a power failure can take is bounded: what was written is synced while the call goes on, and a silent disk is left alone.
#[test]
fn what_was_written_is_synced_while_the_call_goes_on() {
    struct Counting(DirVolume, Arc<AtomicU64>);
    impl Volume for Counting {
        fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
            self.0.create(path)
        }
        fn free_bytes(&self) -> Option<u64> {
            None
        }
        fn sync(&self) -> io::Result<()> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.sync()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let syncs = Arc::new(AtomicU64::new(0));
    let mut config = config(dir.path());
    config.sync_every = Duration::from_millis(30);
    let volume = Counting(DirVolume::new(dir.path()), syncs.clone());
    let (recorder, mut events) = Recorder::start_on(config, Box::new(volume)).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(syncs.load(Ordering::SeqCst), 0, "nothing was written");
    let mut caller = Caller::new(recorder.open(spec(1, "rc_s")));
    for round in 1..=2 {
        caller.say(50);
        until("a sync", || syncs.load(Ordering::SeqCst) >= round);
    }
    drop(caller);
    finished(&mut events);
    recorder.shutdown();
}
