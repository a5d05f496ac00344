//! Kamailio as the carrier's border: TLS, registrar with digest, Record-Route.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::certificates::{Authority, Pair};

const PATIENCE: Duration = Duration::from_secs(10);

pub const USER: &str = "ringback";
pub const PASSWORD: &str = "open sesame";
pub const REALM: &str = "carrier.example";

/// What this Kamailio is to do; `Default` relays calls and nothing else.
#[derive(Default)]
pub struct Border<'a> {
    /// Calls go on to this port of 127.0.0.1.
    pub to: u16,
    /// And to this one at the same time: whichever answers first has them.
    pub and_to: Option<u16>,
    /// It stays in the route as RFC 2543 knew it: by an address without `lr`.
    pub strict: bool,
    /// Server certificate, and the authority that clients' certificates must come from.
    pub tls: Option<(&'a Pair, Option<&'a Authority>)>,
    /// REGISTER and INVITE are challenged.
    pub digest: bool,
    /// Seconds a registration lasts at least and at most; nonces as long as given.
    pub expires: Option<(u32, u32)>,
    /// Seconds after which a nonce is stale; 0 = as long as the process.
    pub nonce_seconds: u32,
}

pub struct Kamailio {
    child: Child,
    folder: tempfile::TempDir,
    pub udp: u16,
    pub tls: u16,
}

impl Kamailio {
    pub fn start(border: &Border<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (udp, tls) = (super::free_port(), super::free_port());
        let file = folder.path().join("kamailio.cfg");
        fs::write(folder.path().join("tls.cfg"), tls_config(border)).expect("written");
        fs::write(&file, config(border, folder.path(), udp, tls)).expect("written");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("kamailio")
            .env("PATH", path)
            .args(["-DD", "-E", "-m", "32", "-M", "8", "-f"])
            .arg(&file)
            .args([Path::new("-w"), folder.path(), Path::new("-Y"), folder.path()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("kamailio cannot be run ({error}); install kamailio and kamailio-tls-modules")
        });
        let mut kamailio = Self { child, folder, udp, tls };
        kamailio.until_bound(border.tls.is_some());
        kamailio
    }

    fn until_bound(&mut self, with_tls: bool) {
        let begun = Instant::now();
        let bound = |udp: u16, tls: u16| {
            UdpSocket::bind(("127.0.0.1", udp)).is_err()
                && (!with_tls || TcpListener::bind(("127.0.0.1", tls)).is_err())
        };
        while !bound(self.udp, self.tls) {
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "kamailio does not come up:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits for a line of the log.
    pub async fn says(&self, wanted: &str) {
        let begun = Instant::now();
        while !self.log().contains(wanted) {
            assert!(begun.elapsed() < PATIENCE, "kamailio does not say {wanted:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// How often a line was logged.
    pub fn said(&self, wanted: &str) -> usize {
        self.log().matches(wanted).count()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(3) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn tls_config(border: &Border<'_>) -> String {
    let Some((pair, clients)) = border.tls else { return String::new() };
    let verify = clients.map_or_else(String::new, |authority| {
        format!("verify_certificate = yes\nrequire_certificate = yes\nca_list = {}\n", authority.root().display())
    });
    format!(
        "[server:default]\nmethod = TLSv1.2+\nprivate_key = {}\ncertificate = {}\n{verify}[client:default]\n",
        pair.private_key.display(),
        pair.certificate.display()
    )
}

fn config(border: &Border<'_>, folder: &Path, udp: u16, tls: u16) -> String {
    let modules = module_path();
    let modules = modules.display();
    let folder = folder.display();
    // One worker for UDP: two would let a BYE overtake the ACK before it.
    let mut text = format!(
        "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nfork=yes\nchildren=1\ntcp_children=2\nauto_aliases=no\n\
         listen=udp:127.0.0.1:{udp}\nmpath=\"{modules}\"\n"
    );
    if border.tls.is_some() {
        text += &format!("enable_tls=yes\nlisten=tls:127.0.0.1:{tls}\n");
    } else {
        text += "disable_tcp=yes\n";
    }
    for module in "tm sl rr pv maxfwd textops siputils xlog auth usrloc registrar corex".split(' ') {
        text += &format!("loadmodule \"{module}.so\"\n");
    }
    if border.tls.is_some() {
        text += &format!("loadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"{folder}/tls.cfg\")\n");
    }
    let nonce = if border.nonce_seconds == 0 { 600 } else { border.nonce_seconds };
    text += &format!(
        "modparam(\"auth\", \"nonce_expire\", {nonce})\nmodparam(\"auth\", \"nonce_count\", 1)\n\
         modparam(\"auth\", \"qop\", \"auth\")\nmodparam(\"auth\", \"algorithm\", \"SHA-256\")\n\
         modparam(\"usrloc\", \"db_mode\", 0)\n"
    );
    if let Some((least, most)) = border.expires {
        text += &format!(
            "modparam(\"registrar\", \"min_expires\", {least})\nmodparam(\"registrar\", \"max_expires\", {most})\n"
        );
    }
    let mut checks = String::new();
    if border.digest {
        checks += &format!(
            "  if (is_method(\"REGISTER\")) {{\n\
             pv_www_authenticate(\"{REALM}\", \"{PASSWORD}\", \"0\"); $var(rc) = $rc;\n\
             if ($var(rc) < 0 || $au != \"{USER}\") {{\n\
             xlog(\"L_ALERT\", \"challenged: $var(rc)\\n\");\n\
             if ($var(rc) == -4 || $var(rc) == -6) {{ www_challenge(\"{REALM}\", \"17\"); }} else {{ www_challenge(\"{REALM}\", \"1\"); }}\n\
             exit; }}\n\
             xlog(\"L_ALERT\", \"let in: $hdr(Authorization)\\n\"); consume_credentials(); }}\n"
        );
    }
    if let Some((least, _)) = border.expires {
        checks += &format!(
            "  $var(wanted) = $(hdr(Expires){{s.int}});\n\
             if (is_method(\"REGISTER\") && $var(wanted) > 0 && $var(wanted) < {least}) {{\n\
             append_to_reply(\"Min-Expires: {least}\\r\\n\"); sl_send_reply(\"423\", \"Interval Too Brief\"); exit; }}\n"
        );
    }
    let record_route = if border.strict {
        format!("append_hf(\"Record-Route: <sip:127.0.0.1:{udp}>\\r\\n\");")
    } else {
        "record_route();".to_owned()
    };
    let fork =
        border.and_to.map_or_else(String::new, |port| format!("append_branch(\"sip:another@127.0.0.1:{port}\"); "));
    text + &format!(
        "request_route {{\n\
         if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
         if (is_method(\"OPTIONS\") && !has_totag()) {{ xlog(\"L_ALERT\", \"ping over $proto\\n\"); sl_send_reply(\"200\", \"OK\"); exit; }}\n\
         if (has_totag()) {{\n\
           if (loose_route()) {{ xlog(\"L_ALERT\", \"within: $rm over $proto, to $ou\\n\"); t_relay(); exit; }}\n\
           if (is_method(\"ACK\") && t_check_trans()) {{ t_relay(); exit; }}\n\
           sl_send_reply(\"404\", \"Not Here\"); exit; }}\n\
         if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
         t_check_trans();\n{checks}\
         if (is_method(\"REGISTER\")) {{ xlog(\"L_ALERT\", \"registers: $ct\\n\"); save(\"location\"); exit; }}\n\
         if (is_method(\"INVITE\")) {{\n\
           {record_route}\n\
           if ($rU == \"+19165550142\") {{ $ru = \"sip:{USER}@{REALM}\"; if (!lookup(\"location\")) {{ sl_send_reply(\"404\", \"Not Registered\"); exit; }} t_relay(); exit; }}\n\
           {fork}$du = \"sip:127.0.0.1:{}\"; t_relay(); exit; }}\n\
         sl_send_reply(\"405\", \"Method Not Allowed\");\n}}\n",
        border.to
    )
}

fn module_path() -> PathBuf {
    ["x86_64", "aarch64"]
        .iter()
        .map(|machine| PathBuf::from(format!("/usr/lib/{machine}-linux-gnu/kamailio/modules/")))
        .find(|path| path.is_dir())
        .expect("kamailio's modules")
}
