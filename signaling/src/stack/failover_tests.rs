//! When a call goes on to a trunk's second address or to another trunk, and when it must not.

use std::time::Duration;

use super::bench::Bench;
use crate::{config::Transport, event::FailureCause, trunk::TrunkConfig};

#[test]
fn silence_costs_eight_t1_and_a_late_ringing_is_cancelled() {
    let mut bench = Bench::new();
    bench.call();
    bench.run(Duration::from_millis(4_400));
    assert_eq!(bench.times("INVITE"), [(0, 1), (500, 1), (1_500, 1), (3_500, 1), (4_000, 2)]);
    let identical = |text: &str| -> Vec<String> {
        let same = ["Call-ID:", "From:", "CSeq:"];
        text.lines().filter(|line| same.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
    };
    assert_eq!(identical(&bench.sent[0].2), identical(&bench.sent[4].2), "the same request, another branch");
    bench.answer(1, "INVITE", "180 Ringing", "");
    assert_eq!(bench.times("CANCEL"), [(4_400, 1)], "nobody is to pick up a call that went elsewhere");
    bench.answer(1, "CANCEL", "200 OK", "");
    bench.answer(1, "INVITE", "487 Request Terminated", "");
    assert_eq!(bench.times("ACK").last(), Some(&(4_400, 1)));
    bench.answer(2, "INVITE", "486 Busy Here", "");
    assert_eq!(bench.failed, [(Some(486), FailureCause::Busy)]);
}

#[test]
fn a_late_answer_is_ended_at_once() {
    let mut bench = Bench::new();
    bench.call();
    bench.run(Duration::from_millis(4_100));
    bench.answer(1, "INVITE", "200 OK", "Contact: <sip:x@192.0.2.1>\r\n");
    assert_eq!((bench.times("ACK"), bench.times("BYE")), (vec![(4_100, 1)], vec![(4_100, 1)]));
    assert!(bench.failed.is_empty(), "the call still tries the second");
}

#[test]
fn retry_after_keeps_the_next_calls_away() {
    let mut bench = Bench::new();
    bench.call();
    bench.answer(1, "INVITE", "503 Service Unavailable", "Retry-After: 120\r\n");
    bench.answer(2, "INVITE", "486 Busy Here", "");
    bench.run(Duration::from_secs(100));
    bench.call();
    bench.answer(2, "INVITE", "486 Busy Here", "");
    bench.run(Duration::from_secs(21));
    bench.call();
    let firsts: Vec<u8> = bench.times("INVITE").iter().map(|(_, to)| *to).collect();
    assert_eq!(firsts, [1, 2, 2, 1]);
}

#[test]
fn a_trunk_that_wants_no_calls_is_down_until_then_whatever_it_says_to_options() {
    let mut bench = Bench::new();
    let mut alone = TrunkConfig::new("t", Transport::Udp, "192.0.2.1", 5060);
    alone.options_interval = Some(Duration::from_secs(10));
    bench.stack.set_trunks(bench.now, vec![alone]);
    bench.run(Duration::from_millis(1));
    bench.answer(1, "OPTIONS", "200 OK", "");
    assert!(bench.stack.trunk_states()[0].up);
    bench.call();
    bench.answer(1, "INVITE", "503 Service Unavailable", "Retry-After: 45 (we are full)\r\n");
    let down = bench.stack.trunk_states().remove(0);
    assert_eq!((down.up, down.cause.as_deref()), (false, Some("no calls wanted for now (503 with Retry-After)")));
    for _ in 0..4 {
        bench.run(Duration::from_secs(10));
        bench.answer(1, "OPTIONS", "200 OK", "");
        assert!(!bench.stack.trunk_states()[0].up);
    }
    bench.call();
    assert_eq!(bench.times("INVITE").len(), 1, "nothing was sent");
    bench.run(Duration::from_millis(5_100));
    assert!(bench.stack.trunk_states()[0].up, "without anybody's doing");
    bench.call();
    assert_eq!(bench.times("INVITE").len(), 2);
}

#[test]
fn what_has_rung_or_said_no_is_final() {
    let mut bench = Bench::new();
    bench.call();
    bench.answer(1, "INVITE", "180 Ringing", "");
    bench.answer(1, "INVITE", "503 Service Unavailable", "");
    bench.call();
    bench.answer(1, "INVITE", "404 Not Found", "");
    assert_eq!(bench.failed, [(Some(503), FailureCause::Unreachable), (Some(404), FailureCause::Unreachable)]);
    assert_eq!(bench.times("INVITE").len(), 2);
}

#[test]
fn when_all_fail_the_call_fails_and_nothing_is_left() {
    let mut bench = Bench::new();
    bench.call();
    bench.run(Duration::from_secs(300));
    assert_eq!(bench.failed, [(None, FailureCause::Unreachable)]);
    assert_eq!(bench.stack.sizes(), (0, 0));
}

#[test]
fn a_trunk_that_may_not_be_silent_for_long_fails_the_call_early_and_a_late_ringing_is_cancelled() {
    let mut bench = Bench::new();
    let mut hasty = TrunkConfig::new("t", Transport::Udp, "192.0.2.1", 5060);
    hasty.silence = Some(Duration::from_secs(6));
    bench.stack.set_trunks(bench.now, vec![hasty]);
    bench.drain();
    bench.call();
    bench.run(Duration::from_millis(6_000));
    assert_eq!(bench.failed, [(None, FailureCause::Unreachable)]);
    assert_eq!(bench.times("INVITE").len(), 4, "and nothing is repeated afterwards");
    bench.answer(1, "INVITE", "180 Ringing", "");
    assert_eq!(bench.times("CANCEL"), [(6_000, 1)]);
    bench.run(Duration::from_secs(300));
    assert_eq!(bench.stack.sizes(), (0, 0));
}

/// The contact centre places the call anew over another trunk: same key and names, another branch.
#[test]
fn a_call_placed_anew_is_not_taken_for_the_first_one() {
    let mut bench = Bench::new();
    let trunk = |id: &str, last: u8| {
        let mut trunk = TrunkConfig::new(id, Transport::Udp, format!("192.0.2.{last}"), 5060);
        trunk.silence = Some(Duration::from_secs(6));
        trunk
    };
    bench.stack.set_trunks(bench.now, vec![trunk("t", 1), trunk("u", 2)]);
    bench.drain();
    bench.call();
    bench.run(Duration::from_secs(6));
    assert_eq!(bench.failed.len(), 1);
    bench.place("u", "again");
    bench.answer(2, "INVITE", "180 Ringing", "");
    bench.answer(1, "INVITE", "180 Ringing", "");
    assert_eq!(bench.times("CANCEL"), [(6_000, 1)], "only the first trunk's");
    bench.answer(1, "INVITE", "200 OK", "Contact: <sip:x@192.0.2.1>\r\n");
    assert_eq!((bench.times("ACK"), bench.times("BYE")), (vec![(6_000, 1)], vec![(6_000, 1)]), "it crossed CANCEL");
    bench.answer(2, "INVITE", "486 Busy Here", "");
    assert_eq!(bench.failed, [(None, FailureCause::Unreachable), (Some(486), FailureCause::Busy)]);
    bench.run(Duration::from_secs(300));
    assert_eq!(bench.stack.sizes(), (0, 0));
}

#[test]
fn nobody_is_woken_for_what_is_settled_and_much_is_forgotten_at_once() {
    let mut bench = Bench::new();
    bench.run(Duration::from_secs(1));
    for _ in 0..20 {
        bench.call();
        bench.answer(1, "INVITE", "486 Busy Here", "");
        bench.run(Duration::from_millis(20));
    }
    let (_, before) = bench.stack.sizes();
    assert!(before >= 20, "timer D keeps each of them: {before}");
    let woken = bench.run(Duration::from_secs(34));
    assert_eq!(bench.stack.sizes(), (0, 0));
    assert!(woken <= 4, "woken {woken} times for 20 calls that were over");
    assert_eq!(bench.times("INVITE").len(), 20, "nothing is repeated");
}
