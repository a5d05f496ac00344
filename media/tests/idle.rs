//! What an idle connection costs. In a program of its own, because the wake-ups of all media threads of a process count.

#[path = "bridge/rig.rs"]
#[allow(dead_code)]
mod rig;

use std::time::Duration;

use crate::rig::Rig;

/// Voluntary context switches of the media thread: how often it woke up.
fn wakeups() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let is_media = status.lines().next()?.ends_with("media-0");
        let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        is_media.then(|| switches.trim().parse::<u64>().ok())?
    };
    tasks.filter_map(of_task).sum()
}

#[test]
fn an_idle_browser_hardly_wakes_the_thread() {
    let mut rig = Rig::start(|config| config.agent_silence_timeout = Duration::from_secs(60));
    let mut agent = rig.browser(1, 440.0);
    let before = wakeups();
    for _ in 0..100 {
        agent.listen();
        std::thread::sleep(Duration::from_millis(20));
    }
    let woken = wakeups() - before;
    assert!(woken < 30, "{woken} wake-ups in two idle seconds");
}
