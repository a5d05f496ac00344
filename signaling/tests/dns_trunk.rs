//! A trunk found by the SRV records of dnsmasq, its servers played by sipp: shares by priority and weight, failover on silence,
//! refusal, 408 and 503, a time it is left alone for, and a name that is lost.

mod peer;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use peer::{Rig, Sipp, config, free_port, names::Names};
use ringback_signaling::{EndedBy, FailureCause, SignalingConfig, SignalingEvent, Transport, TrunkConfig};

const RING: Duration = Duration::from_secs(10);

/// A rig whose trunk has the name under which these servers stand: priority, weight, port.
async fn found_by(transport: Transport, servers: &[(u16, u16, u16)]) -> (Rig, Names) {
    let (config, names) = configured(transport, servers);
    (Rig::start(config).await, names)
}

fn configured(transport: Transport, servers: &[(u16, u16, u16)]) -> (SignalingConfig, Names) {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    let names = Names::start(service, servers);
    let trunk = TrunkConfig { port: None, host: "carrier.example".into(), ..peer::trunk(transport, 0) };
    let mut config = config(vec![trunk]);
    config.nameservers = vec![names.address];
    config.timers.t1 = Duration::from_millis(50);
    (config, names)
}

async fn call_and_hang_up(rig: &mut Rig) {
    let key = rig.call(RING);
    rig.answered().await;
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
}

/// The status by which the next call is refused: each server has its own.
async fn refused_with(rig: &mut Rig) -> Option<u16> {
    rig.call(RING);
    match rig.over().await {
        SignalingEvent::Failed { status, .. } => status,
        other => panic!("{other:?}"),
    }
}

fn always_refusing(status: &str) -> Sipp {
    Sipp::called_at(free_port(), "refuse", Transport::Udp, &[("status", status)], 10_000)
}

#[tokio::test]
async fn the_second_server_answers_when_the_first_is_closed() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::called("answer", transport, &[]);
        let (mut rig, _names) = found_by(transport, &[(20, 0, sipp.port), (10, 0, free_port())]).await;
        let begun = Instant::now();
        call_and_hang_up(&mut rig).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "eight T1 of patience, not 64");
        sipp.passed().await;
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up_and_cancelled_when_it_speaks_after_all() {
    let silent = Sipp::called("silent_then_cancel", Transport::Udp, &[]);
    let sipp = Sipp::called("answer", Transport::Udp, &[]);
    let (mut rig, _names) = found_by(Transport::Udp, &[(10, 0, silent.port), (20, 0, sipp.port)]).await;
    let key = rig.call(RING);
    rig.answered().await;
    silent.passed().await;
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    sipp.passed().await;
}

#[tokio::test]
async fn a_408_or_503_sends_the_call_elsewhere_and_a_busy_does_not() {
    for status in ["408 Request Timeout", "503 Service Unavailable"] {
        let refusing = Sipp::called("refuse", Transport::Udp, &[("status", status)]);
        let sipp = Sipp::called("answer", Transport::Udp, &[]);
        let (mut rig, _names) = found_by(Transport::Udp, &[(10, 0, refusing.port), (20, 0, sipp.port)]).await;
        call_and_hang_up(&mut rig).await;
        refusing.passed().await;
        sipp.passed().await;
    }

    let busy = Sipp::called("refuse", Transport::Udp, &[("status", "486 Busy Here")]);
    let (mut rig, _names) = found_by(Transport::Udp, &[(10, 0, busy.port), (20, 0, free_port())]).await;
    let key = rig.call(RING);
    let SignalingEvent::Failed { key: failed, status, cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!((failed, status, cause), (key, Some(486), FailureCause::Busy));
    busy.passed().await;
}

#[tokio::test]
async fn priorities_come_first_and_weights_share_the_calls() {
    let servers = [always_refusing("486 Busy Here"), always_refusing("603 Decline"), always_refusing("404 Not Found")];
    let [often, seldom, never] = &servers;
    let records = [(10, 30, often.port), (10, 10, seldom.port), (20, 1_000, never.port)];
    let (mut rig, _names) = found_by(Transport::Udp, &records).await;
    let mut answers = BTreeMap::new();
    for _ in 0..120 {
        *answers.entry(refused_with(&mut rig).await).or_insert(0) += 1;
    }
    // Three of four of 120: 90, with a standard deviation of 4.7; five of them to each side.
    let first = answers.get(&Some(486)).copied().unwrap_or(0);
    assert!((66..=114).contains(&first), "{answers:?}");
    assert_eq!(answers.get(&Some(603)).copied(), Some(120 - first), "{answers:?}");
}

#[tokio::test]
async fn a_server_is_left_alone_for_the_time_it_names_and_used_again_afterwards() {
    let status = "503 Service Unavailable\nRetry-After: 3 (full);duration=60";
    let asking = Sipp::called("refuse", Transport::Udp, &[("status", status)]);
    let (port, second) = (asking.port, always_refusing("603 Decline"));
    let (mut rig, _names) = found_by(Transport::Udp, &[(10, 0, port), (20, 0, second.port)]).await;
    let begun = Instant::now();
    assert_eq!(refused_with(&mut rig).await, Some(603), "the same call goes to the second");
    asking.passed().await;
    let _back = Sipp::called_at(port, "refuse", Transport::Udp, &[("status", "486 Busy Here")], 10_000);
    loop {
        let status = refused_with(&mut rig).await;
        let passed = begun.elapsed();
        match status {
            Some(603) => assert!(passed < Duration::from_millis(3_500), "the time is over"),
            Some(486) => break assert!(passed >= Duration::from_secs(3), "{passed:?} is too soon"),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_said() {
    let (mut config, _names) = configured(Transport::Udp, &[]);
    config.trunks[0].host = "lost.example".into();
    let (signaling, events) = ringback_signaling::Signaling::start(config).await.expect("starts");
    let mut rig = Rig { signaling, events };
    let told = |event: &SignalingEvent| {
        let says = |cause: &String| cause.contains("lost.example does not exist");
        matches!(event, SignalingEvent::Trunk(state) if !state.up && state.cause.as_ref().is_some_and(says))
    };
    rig.until("the cause", told).await;
}
