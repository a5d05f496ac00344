//! A WebRTC browser bridged to a carrier.

use ringback_media::{Codec, LegKey, MediaEvent};

use crate::rig::{Rig, Tape};
use ringback_media::testing::tone::level;

#[test]
fn browser_and_carrier_hear_each_other() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 50);
    assert!(agent.level(1000.0, 40) > 0.45 && agent.level(440.0, 40) < 0.02);
    assert!(customer.level(440.0, 40) > 0.45 && customer.level(1000.0, 40) < 0.02);
    agent.assert_continuous();
    customer.assert_continuous();
    assert_eq!(rig.count(|event| *event == MediaEvent::Connected { leg: LegKey(1) }), 1);
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    assert!(level(&tape.samples, 440.0) > 0.45 && level(&tape.samples, 1000.0) < 0.02);
}
