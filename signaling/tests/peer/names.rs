//! dnsmasq as the name server in which a carrier's servers stand.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A name server that knows `example` and nothing else, and asks nobody.
pub struct Names {
    child: Child,
    pub address: SocketAddr,
}

impl Names {
    /// `service` is what stands before `carrier.example`, such as `_sip._udp`; each server: priority, weight, port of 127.0.0.1.
    pub fn start(service: &str, servers: &[(u16, u16, u16)]) -> Self {
        let port = super::free_port();
        let mut command = Command::new("dnsmasq");
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--no-resolv", "--no-hosts"]);
        command
            .args(["--bind-interfaces", "--listen-address=127.0.0.1", "--local=/example/"])
            .arg(format!("--port={port}"));
        command.arg("--host-record=edge.carrier.example,127.0.0.1");
        for (priority, weight, port) in servers {
            command
                .arg(format!("--srv-host={service}.carrier.example,edge.carrier.example,{port},{priority},{weight}"));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("dnsmasq cannot be run ({error}); install the package dnsmasq-base"));
        let mut names = Self { child, address: ([127, 0, 0, 1], port).into() };
        names.until_bound();
        names
    }

    fn until_bound(&mut self) {
        let begun = Instant::now();
        while UdpSocket::bind(self.address).is_ok() || TcpListener::bind(self.address).is_ok() {
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "dnsmasq does not come up: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
