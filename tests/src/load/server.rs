//! The server under load: a process of its own with a configuration and a folder of its own.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, UdpSocket},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ringback_routing::{
    config::AgentConfig,
    ids::{AgentId, TenantId},
    time::{Millis, Timestamp},
};
use ringback_store::{Session, Store, StoreConfig};
use sha2::{Digest, Sha256};

use super::{Failure, Options, http};

pub(crate) const PASSWORD: &str = "load generator";
pub(crate) const TENANT: &str = "sacramento";
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// Linux counts CPU time in hundredths of a second (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Server {
    child: Mutex<Child>,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    /// Where it listens for SIP, over UDP and TCP.
    pub(crate) sip: u16,
    /// And for browsers, and on which ports for carriers' sound.
    pub(crate) webrtc: u16,
    pub(crate) sound: Range<u16>,
}

/// What the process has used up to now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kb: i64,
    pub(crate) descriptors: i64,
}

/// What a measurement wants of the server.
pub(crate) struct House<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) calls: usize,
    pub(crate) agents: usize,
    /// Keys of `[tenant.policy]`.
    pub(crate) policy: &'a str,
    /// Tables that follow the tenant's own.
    pub(crate) tables: &'a str,
    /// A prompt's name and its WAV file, for those to be told in other words than the built-in ones.
    pub(crate) prompts: &'a [(&'a str, Vec<u8>)],
}

impl Server {
    /// As many agents as calls, and a minute for each to look at an offer.
    pub(crate) async fn start(options: &Options, carrier: u16) -> Result<Self, Failure> {
        let (binary, calls) = (options.server.as_path(), options.calls);
        let house = House { binary, calls, agents: calls, policy: "offer_seconds = 60", tables: "", prompts: &[] };
        Self::set_up(&house, carrier).await
    }

    pub(crate) async fn set_up(house: &House<'_>, carrier: u16) -> Result<Self, Failure> {
        if !house.binary.is_file() {
            let at = house.binary.display();
            return Err(format!("no server at {at}: build it first (cargo build --release -p ringback)").into());
        }
        let folder = tempfile::tempdir()?;
        let prompts = folder.path().join("prompts/en");
        fs::create_dir_all(&prompts)?;
        for (name, file) in house.prompts {
            fs::write(prompts.join(format!("{name}.wav")), file)?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let sip = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let webrtc = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let sound = 20_000..u16::try_from(20_000 + house.calls * 4 + 100).unwrap_or(u16::MAX);
        let config = folder.path().join("ringback.toml");
        let ports = Ports { http: port, sip, carrier, webrtc, sound: sound.clone() };
        fs::write(&config, configuration(folder.path(), &ports, house))?;
        add_users(house.binary, &config, folder.path(), house.agents).await?;
        let child = Mutex::new(spawn(house.binary, folder.path())?);
        let server = Self { child, folder, port, sip, webrtc, sound };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// The power goes and comes back: `kill -9`, then the same server on the same ledger.
    pub(crate) async fn cut_power(&self, binary: &Path) -> Result<(), Failure> {
        {
            let mut child = self.child.lock().map_err(|_| "the server's handle is lost")?;
            child.kill()?;
            child.wait()?;
            *child = spawn(binary, self.folder.path())?;
        }
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Ok(answer) = http::get(self.port, "/readyz").await
                && answer.status == 200
            {
                return Ok(());
            }
            if Instant::now() > deadline || !self.is_running() {
                return Err(format!("the server did not become ready:\n{}", self.log()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.lock().is_ok_and(|mut child| matches!(child.try_wait(), Ok(None)))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.child.lock().map_or(0, |child| child.id())
    }

    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let process = PathBuf::from(format!("/proc/{}", self.pid()));
        let stat = fs::read_to_string(process.join("stat"))?;
        // The name in parentheses may hold blanks.
        let (_, rest) = stat.rsplit_once(") ").ok_or("an unusual /proc/…/stat")?;
        let status = fs::read_to_string(process.join("status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        Ok(Usage {
            cpu: cpu_in(rest),
            rss_kb: rss.unwrap_or(0),
            descriptors: fs::read_dir(process.join("fd"))?.count() as i64,
        })
    }

    /// CPU time of those of its threads whose name begins so.
    pub(crate) fn cpu_of(&self, name: &str) -> Result<Duration, Failure> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))?.flatten() {
            // A thread that has ended meanwhile has none.
            let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
            let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
            if head.split_once('(').is_some_and(|(_, own)| own.starts_with(name)) {
                sum += cpu_in(rest);
            }
        }
        Ok(sum)
    }

    /// Files of sound, finished or being written.
    pub(crate) fn recordings(&self) -> usize {
        sounds(self.folder.path()).len()
    }

    /// Ends it; gives what it leaves behind.
    pub(crate) async fn stop(mut self) -> Result<tempfile::TempDir, Failure> {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let deadline = Instant::now() + STOP_LIMIT;
        while status.success() && self.is_running() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(std::mem::replace(&mut self.folder, tempfile::tempdir()?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            // Already gone after a clean stop; then both do nothing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// utime and stime, the 12th and 13th fields behind the name.
fn cpu_in(rest: &str) -> Duration {
    let field = |n: usize| rest.split(' ').nth(n).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    TICK * (field(11) + field(12))
}

/// The files of sound in a server's folder, finished or being written.
pub(crate) fn sounds(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.join("recordings")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".wav") || name.ends_with(".wav.part") {
                found.push(path);
            }
        }
    }
    found
}

fn spawn(binary: &Path, folder: &Path) -> Result<Child, Failure> {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let child = Command::new(binary)
        .args(["serve", "--config"])
        .arg(folder.join("ringback.toml"))
        .env("RUST_LOG", "warn")
        .stdout(log.try_clone()?)
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// So many agents that each holds one call.
async fn add_users(binary: &Path, config: &Path, folder: &Path, agents: usize) -> Result<(), Failure> {
    let mut add = Command::new(binary)
        .args(["user", "add", "--config"])
        .arg(config)
        .args(["--tenant", TENANT, "--role", "agent", "--name", "Agent 0", &user_id(0)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    add.stdin.take().ok_or("no input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
    if !add.wait()?.success() {
        return Err("user add failed".into());
    }
    // The others share the first one's password digest: hashing is slow on purpose.
    let store =
        Store::open(&format!("sqlite://{}", folder.join("ringback.db").display()), StoreConfig::default()).await?;
    let first = store.user_for_login(&user_id(0)).await?.ok_or("the user is not in the ledger")?;
    for number in 1..agents {
        let mut user = first.clone();
        user.id = AgentId::new(user_id(number));
        user.name = format!("Agent {number}");
        user.agent = user.agent.map(|agent| AgentConfig { id: user.id.clone(), name: user.name.clone(), ..agent });
        store.create_user(&user).await?;
    }
    for number in 0..agents {
        store.create_session(&session(number)).await?;
    }
    store.close().await;
    Ok(())
}

pub(crate) fn user_id(number: usize) -> String {
    format!("agent{number}")
}

/// What the browser of an agent who is signed in sends: that many passwords would take minutes to check.
pub(crate) fn session_cookie(number: usize) -> String {
    format!("ringback_session={}", session_token(number))
}

fn session_token(number: usize) -> String {
    format!("{number:043}")
}

fn session(number: usize) -> Session {
    let now = Timestamp::from_millis(
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0)),
    );
    let digest = Sha256::digest(session_token(number).as_bytes());
    Session {
        token_digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        user: AgentId::new(user_id(number)),
        tenant: Some(TenantId::new(TENANT)),
        created_at: now,
        expires_at: now + Millis::from_secs(3600),
        idp_session: None,
    }
}

struct Ports {
    http: u16,
    sip: u16,
    carrier: u16,
    webrtc: u16,
    sound: Range<u16>,
}

fn configuration(folder: &Path, ports: &Ports, house: &House<'_>) -> String {
    let &House { calls, policy, tables, .. } = house;
    let Ports { http: port, sip, carrier, webrtc, sound: Range { start: first, end: last } } = ports;
    let folder = folder.display();
    format!(
        r#"
[server]
http = ["127.0.0.1:{port}"]
public_url = "http://localhost:{port}"
data_dir = "{folder}"
drain_seconds = 1
[sip]
udp = "127.0.0.1:{sip}"
tcp = "127.0.0.1:{sip}"
[media]
webrtc = "127.0.0.1:{webrtc}"
rtp = "127.0.0.1"
rtp_ports = "{first}-{last}"
[recorder]
dir = "{folder}/recordings"
min_free_mib = 1
[limits]
logins_per_minute = 1000000
callbacks_per_minute = 1000000
callbacks_per_number_per_hour = 1000000
callbacks_per_address_per_hour = 1000000
callbacks_per_network_per_hour = 1000000
callbacks_per_tenant_per_hour = 1000000
rings_per_number_per_day = 1000000
public_api_per_minute = 1000000
staff_api_per_minute = 1000000
chat_api_per_minute = 1000000
chat_messages_per_minute = 1000000
# One working memory of 19 MiB, so that it does not hide what calls cost.
password_checks = 1
[[trunk]]
id = "carrier"
host = "127.0.0.1"
port = {carrier}
channels = {calls}
caller_id = "+19165550000"
options_seconds = 5
[[tenant]]
id = "{TENANT}"
name = "Sacramento County"
timezone = "America/Los_Angeles"
auth = "none"
prompts = "{folder}/prompts"
[tenant.callback]
enabled = true
max_attempts = 3
failed_spacing_seconds = 2
guard_seconds = 2
[tenant.chat]
enabled = true
[tenant.policy]
{policy}
[[tenant.hours]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
{tables}
"#
    )
}
