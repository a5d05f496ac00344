//! An outbound call to baresip, a foreign telephone with its own SIP library (re).

mod peer;

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use peer::{Rig, config, free_port, trunk};
use ringback_signaling::{EndedBy, SignalingEvent, Transport};

struct Baresip {
    child: Child,
    home: PathBuf,
    port: u16,
}

impl Baresip {
    fn start() -> Self {
        let port = free_port();
        let home = std::env::temp_dir().join(format!("ringback-baresip-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a directory");
        let config = format!(
            "sip_listen 127.0.0.1:{port}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule ausine.so\n\
             module aufile.so\nmodule_app account.so\nmodule_app menu.so\naudio_source ausine,440\n\
             call_max_calls 4\nausrc_srate 48000\nauplay_srate 48000\nausrc_channels 2\nauplay_channels 1\nrtp_ports 41000-41100\n"
        );
        std::fs::write(home.join("config"), config).expect("written");
        std::fs::write(home.join("accounts"), "<sip:+19165550199@127.0.0.1>;regint=0;answermode=auto\n")
            .expect("written");
        std::fs::write(home.join("contacts"), "").expect("written");
        let child = Command::new("baresip")
            .arg("-f")
            .arg(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("baresip cannot be run ({error}); install the package baresip-core"));
        let begun = std::time::Instant::now();
        while std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "baresip does not bind its port");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, home, port }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[tokio::test]
async fn a_telephone_answers_and_is_hung_up_on() {
    let phone = Baresip::start();
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut rig = Rig::start(config(vec![trunk(transport, phone.port)])).await;
        let key = rig.call(Duration::from_secs(20));
        let sdp = rig.answered().await;
        assert!(sdp.contains("PCMU/8000"), "{sdp}");
        rig.signaling.reinvite(key, peer::OFFER.replace("s=-", "s=again").replace("1 1 IN", "1 2 IN"));
        rig.until("their answer", |event| matches!(event, SignalingEvent::RemoteAnswer { .. })).await;
        rig.signaling.hang_up(key);
        assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    }
}
