//! How long a transfer by REFER is waited for.

use std::time::Duration;

use super::bench::Bench;
use crate::event::{CallKey, TransferStep};

/// A call that is answered, and asked to be handed on.
fn referred() -> Bench {
    let mut bench = Bench::new();
    bench.call();
    let headers = "Contact: <sip:x@192.0.2.1>\r\nContent-Type: application/sdp\r\n";
    bench.answer_with(1, "INVITE", "200 OK", headers, "v=0\r\n");
    bench.stack.refer_to_number(bench.now, CallKey(1), "+19165550142", None);
    bench.drain();
    assert_eq!(bench.times("REFER"), [(0, 1)]);
    bench
}

#[test]
fn a_far_side_that_takes_it_and_says_no_more_has_lost_it_and_the_call_stays() {
    let mut bench = referred();
    bench.run(Duration::from_secs(1));
    bench.answer(1, "REFER", "202 Accepted", "");
    bench.run(Duration::from_secs(600));
    assert_eq!(bench.transfers, [(1_000, TransferStep::Taken), (180_000, TransferStep::Lost)]);
    assert!(bench.times("BYE").is_empty());
    // It may be tried again.
    let before = bench.times("REFER").len();
    bench.stack.refer_to_number(bench.now, CallKey(1), "+19165550142", None);
    bench.drain();
    assert_eq!(bench.times("REFER").len(), before + 1);
}

#[test]
fn a_far_side_that_does_not_answer_refer_is_gone() {
    let mut bench = referred();
    bench.run(Duration::from_secs(32));
    assert_eq!(bench.transfers, [(32_000, TransferStep::Lost)], "timer F");
    assert_eq!(bench.times("BYE"), [(32_000, 1)]);
}

#[test]
fn what_is_not_answered_yet_cannot_be_handed_on() {
    let mut bench = Bench::new();
    bench.call();
    bench.stack.refer_to_number(bench.now, CallKey(1), "+19165550142", None);
    bench.stack.refer_to_number(bench.now, CallKey(2), "+19165550142", None);
    bench.drain();
    assert_eq!(bench.transfers, [(0, TransferStep::Refused(491)), (0, TransferStep::Refused(481))]);
}
