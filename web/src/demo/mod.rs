//! `ringback demo`: a county, its people and a carrier on this machine alone, so that one person with one browser can
//! live through it all.

pub mod carrier;
pub mod portal;

use std::{net::SocketAddr, path::Path};

use ringback_engine::PromptLibrary;
use ringback_routing::{ids::TenantId, output::PromptName};
use ringback_store::{Role, Store};

use crate::{
    config::ServerConfig,
    prompts as common, run,
    start::{self, RunError},
    users,
};

/// The county that opted in.
pub const COUNTY: &str = "sacramento";
/// The number it is called at.
pub const COUNTY_NUMBER: &str = "+19168743100";
/// Everybody's password in the demo.
const PASSWORD: &str = "demo";

/// User, name, role, tenant.
const PEOPLE: [(&str, &str, Role, Option<&str>); 7] = [
    ("maria", "Maria Alvarez", Role::Agent, Some(COUNTY)),
    ("agent2", "Ben Carter", Role::Agent, Some(COUNTY)),
    ("sam", "Sam Okafor", Role::Supervisor, Some(COUNTY)),
    ("ana", "Ana Lindqvist", Role::Admin, Some(COUNTY)),
    ("audrey", "Audrey Chen", Role::Auditor, Some(COUNTY)),
    ("alma", "Alma Stone", Role::Supervisor, Some("alpine")),
    ("root", "Robin Root", Role::Operator, None),
];

/// What the carrier in the box does, by number.
pub const NUMBERS: [(&str, &str); 6] = [
    ("+19165550100", "answers, speaks, then echoes what you say"),
    ("+19165550101", "is busy"),
    ("+19165550102", "rings, nobody answers"),
    ("+19165550103", "declines the call"),
    ("+19165550104", "answers after 15 seconds, then echoes"),
    ("+19165550123", "answers and echoes, like every other number"),
];

/// Starts the carrier and the server, says what to open, and serves until told to stop.
pub async fn run(data_dir: &Path, http: SocketAddr) -> Result<(), RunError> {
    let carrier = carrier::start(carrier::CarrierConfig::default()).await?;
    let secret = crate::token::random().map_err(|error| RunError::Config(error.to_string()))?;
    let config = config(data_dir, http, carrier.address, &secret)?;
    let store = start::open_store(&config).await?;
    seed(&config, &store).await?;
    store.close().await;
    let running = run::up(config, Some(portal::DemoPortal::new(secret))).await?;
    let port = running.addresses.first().map_or(http.port(), SocketAddr::port);
    say(&banner(port, running.sip_udp(), data_dir));
    running.until_told().await
}

/// The demo's configuration, read by the same code as everybody's.
pub fn config(data_dir: &Path, http: SocketAddr, carrier: SocketAddr, secret: &str) -> Result<ServerConfig, RunError> {
    // A JSON string is a TOML basic string.
    let folder = serde_json::Value::from(data_dir.to_string_lossy()).to_string();
    let text = include_str!("demo.toml")
        .replace("\"DATA_DIR\"", &folder)
        .replace("HTTP_ADDRESS", &http.to_string())
        .replace("HTTP_PORT", &http.port().to_string())
        .replace("CARRIER_HOST", &carrier.ip().to_string())
        .replace("5099", &carrier.port().to_string())
        .replace("PORTAL_SECRET", secret);
    ServerConfig::parse(&text)
        .map_err(|problems| RunError::Config(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// The people of the demo, unless they are there from the last time.
pub async fn seed(config: &ServerConfig, store: &Store) -> Result<(), RunError> {
    for (id, name, role, tenant) in PEOPLE {
        if store.user_for_login(id).await?.is_none() {
            let tenant = tenant.and_then(|tenant| config.tenant(&TenantId::new(tenant)));
            users::ensure(store, users::new_user(id, name, role, tenant, PASSWORD)?).await?;
        }
    }
    Ok(())
}

/// The common prompts, and the county introducing itself by name.
pub fn prompts() -> Result<PromptLibrary, RunError> {
    let mut library = common::built_in().map_err(RunError::Prompts)?;
    let own: [(PromptName, &str, &[u8]); 6] = [
        (PromptName::Announcement, "en", include_bytes!("../../prompts/demo/en/announcement.wav")),
        (PromptName::Announcement, "es", include_bytes!("../../prompts/demo/es/announcement.wav")),
        (PromptName::Greeting, "en", include_bytes!("../../prompts/demo/en/greeting.wav")),
        (PromptName::Greeting, "es", include_bytes!("../../prompts/demo/es/greeting.wav")),
        (PromptName::Menu, "en", include_bytes!("../../prompts/demo/en/menu.wav")),
        (PromptName::Menu, "es", include_bytes!("../../prompts/demo/es/menu.wav")),
    ];
    for (name, language, wav) in own {
        library.insert_wav(Some(TenantId::new(COUNTY)), name, language, "1", wav).map_err(RunError::Prompts)?;
    }
    Ok(library)
}

/// The demo is opened under any of this machine's names.
pub fn loopback_origins(config: &ServerConfig) -> Vec<String> {
    let port = config.origin.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(80);
    ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:{port}")).to_vec()
}

fn banner(port: u16, sip: Option<SocketAddr>, data_dir: &Path) -> String {
    let mut text = format!(
        "\n  Ringback demo, on this machine only. Data in {}.\n\n\
         \x20 1. Agent        http://localhost:{port}/agent          sign in as  maria / {PASSWORD}   then \"Go available\"\n\
         \x20 2. Customer     http://localhost:{port}/demo/portal    choose \"Call me\" or \"Chat\"\n\
         \x20 3. Supervisor   http://localhost:{port}/supervisor     sign in as  sam / {PASSWORD}   (another browser window)\n\n\
         \x20 Numbers to ask a call for:\n",
        data_dir.display()
    );
    for (number, what) in NUMBERS {
        let shown = crate::phone::display(number, phonenumber::country::US);
        text += &format!("     {shown}   {what}\n");
    }
    if let Some(sip) = sip {
        text += &format!(
            "\n  To call the county yourself, with any SIP telephone on this machine (docs/inbound.md):\n\
             \x20    baresip -e \"/dial sip:{COUNTY_NUMBER}@{sip}\"\n"
        );
    }
    text + &format!(
        "\n  More people: agent2 (agent), ana (admin), audrey (auditor), root (operator); password {PASSWORD}.\n\
         \x20 A county without callbacks: http://localhost:{port}/t/alpine/call-me\n\
         \x20 Ctrl-C stops it.\n\n"
    )
}

#[allow(clippy::print_stdout, reason = "the demo says on its console what to open")]
fn say(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_open_always_and_on_this_machine_only() {
        let http = "127.0.0.1:8080".parse().unwrap();
        let odd = Path::new("/tmp/a \"quoted\" folder");
        let config = config(odd, http, "127.0.0.1:5099".parse().unwrap(), &"s".repeat(43)).unwrap();
        assert_eq!(config.file.server.data_dir, odd);
        let file = &config.file;
        assert!(file.server.http.iter().all(|address| address.ip().is_loopback()));
        assert!(file.sip.udp.is_none_or(|address| address.ip().is_loopback()));
        assert!(file.sip.tcp.is_none_or(|address| address.ip().is_loopback()));
        assert!(file.media.webrtc.ip().is_loopback() && file.media.rtp.is_loopback());
        let county = &config.tenants[0].core;
        assert!(county.callback.enabled && county.hours.week.len() == 7);
        assert!(!config.tenants[1].core.callback.enabled);
        assert!(loopback_origins(&config).contains(&"http://127.0.0.1:8080".to_owned()));
    }

    #[test]
    fn every_number_to_try_may_be_dialled() {
        let http = "127.0.0.1:8080".parse().unwrap();
        let config = config(Path::new("d"), http, http, &"s".repeat(43)).unwrap();
        for (number, _) in NUMBERS {
            let rules = &config.tenants[0].face.phone_rules;
            assert!(crate::phone::Dialable::parse(number, rules).is_ok(), "{number}");
        }
    }

    #[test]
    fn the_county_introduces_itself() {
        let library = prompts().unwrap();
        let own = library.find(&TenantId::new(COUNTY), PromptName::Announcement, "en").unwrap();
        let common = library.find(&TenantId::new("alpine"), PromptName::Announcement, "en").unwrap();
        assert_ne!(own.samples.0.len(), common.samples.0.len());
    }
}
