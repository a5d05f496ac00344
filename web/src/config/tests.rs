use ringback_routing::{config::OverLimit, time::Millis};

use super::*;

const EXAMPLE: &str = include_str!("../../../docs/ringback.example.toml");

const SMALL: &str = r##"
[[trunk]]
id = "carrier"
host = "sip.example.net"
channels = 10
caller_id = "+19165550000"
username = "u"
password = "hunter2-trunk"

[[tenant]]
id = "sacramento"
name = "Sacramento County"
timezone = "America/Los_Angeles"
auth = "none"
callback.enabled = true

[[tenant.hours]]
days = ["mon", "tue"]
from = "08:00"
to = "17:00"
"##;

fn problems(text: &str) -> Vec<Problem> {
    ServerConfig::parse(text).expect_err("must be refused")
}

#[test]
fn the_example_parses_and_says_what_it_shows() {
    // The example names files of a real installation; those lines are left out here.
    let text: String = EXAMPLE.lines().filter(|line| !line.contains("/etc/ringback/")).collect::<Vec<_>>().join("\n");
    let text = text
        .replace("https = [", "# https = [")
        .replace("\ntls = ", "\n# tls = ")
        .replace("[[tenant.portal_key]]\nalg = \"ES256\"", "");
    let text = text.replace("[[tenant.portal_key]]\nalg = \"EdDSA\"", "");
    let config = ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(config.tenants.len() >= 2 && !config.trunks.is_empty());
    assert!(!config.tenants[1].core.callback.enabled, "off unless opted in (C1)");
    let callback = &config.tenants[0].core.callback;
    let gate = callback.gate.as_ref().expect("a gate");
    assert_eq!((gate.longest_wait, gate.then), (Millis::from_secs(45 * 60), OverLimit::Schedule));
    let slots = callback.slots.as_ref().expect("times to choose");
    assert_eq!((slots.length, slots.capacity), (Millis::from_secs(15 * 60), 4));
    assert_eq!((callback.window.len(), config.tenants[1].core.callback.window.len()), (5, 0));
}

#[test]
fn the_example_is_complete() {
    let shown = ServerConfig::parse(SMALL).unwrap().redacted();
    for line in shown.lines().filter_map(|line| line.split_once(" = ")) {
        let key = line.0.trim();
        let explained = EXAMPLE.contains(&format!("{key} =")) || EXAMPLE.contains(&format!("[[tenant.{key}]]"));
        assert!(explained, "docs/ringback.example.toml does not explain `{key}`");
    }
    for key in ["portal_key", "disposition", "holiday", "subject", "queue", "hours"] {
        assert!(EXAMPLE.contains(&format!("[[tenant.{key}]]")), "{key}");
    }
}

#[test]
fn a_small_file_is_enough() {
    let config = ServerConfig::parse(SMALL).unwrap();
    let tenant = &config.tenants[0];
    assert_eq!(tenant.core.queues.len(), 1);
    assert_eq!(tenant.core.callback.trunks, [ringback_routing::ids::TrunkId::new("carrier")]);
    assert_eq!(tenant.core.hours.week.len(), 2);
    assert_eq!(config.origin, "http://localhost:8080");
}

#[test]
fn trunks_come_by_priority_and_a_tenants_own_order_counts_more() {
    let second = "\n[[trunk]]\nid = \"first\"\nhost = \"sip.example.org\"\nchannels = 5\npriority = 1\ncaller_id = \"+19165550001\"\n";
    let text = SMALL.replace("channels = 10", "channels = 10\npriority = 2") + second;
    let trunks = |text: &str| ServerConfig::parse(text).unwrap().tenants[0].core.callback.trunks.clone();
    let ids = |names: [&str; 2]| names.map(ringback_routing::ids::TrunkId::new);
    assert_eq!(trunks(&text), ids(["first", "carrier"]));
    let own =
        text.replace("callback.enabled = true", "callback = { enabled = true, trunks = [\"carrier\", \"first\"] }");
    assert_eq!(trunks(&own), ids(["carrier", "first"]));
}

#[test]
fn secrets_are_not_shown() {
    let config = ServerConfig::parse(SMALL).unwrap();
    assert!(!config.redacted().contains("hunter2") && config.redacted().contains("•••"));
    assert!(!format!("{config:?}").contains("hunter2"));
    let with_url = format!("[store]\nurl = \"postgres://ringback:hunter2@db/ringback\"\n{SMALL}");
    let shown = ServerConfig::parse(&with_url).unwrap().redacted();
    assert!(shown.contains("postgres://•••@db/ringback") && !shown.contains("hunter2"), "{shown}");
    let broken = SMALL.replace("\"hunter2-trunk\"", "\"hunter2-trunk\" oops");
    assert!(!problems(&broken)[0].to_string().contains("hunter2"));
}

#[test]
fn errors_name_line_and_key() {
    let cases = [
        (SMALL.replace("America/Los_Angeles", "America/Nowhere"), "tenant.timezone", 13),
        (SMALL.replace("channels = 10", "channels = \"ten\""), "trunk.channels", 5),
        (SMALL.replace("\"08:00\"", "\"25:00\""), "tenant.hours.from", 19),
        (SMALL.replace("\"mon\"", "\"moon\""), "tenant.hours.days", 18),
        (
            format!("{SMALL}\n[[tenant.subject]]\nid = \"x\"\nname = \"X\"\nqueue = \"nope\"\n"),
            "tenant.subject.queue",
            25,
        ),
        (format!("[server]\nlisten = 1\n{SMALL}"), "server.listen", 2),
    ];
    for (text, key, line) in cases {
        let found = problems(&text);
        assert_eq!((found[0].key.as_str(), found[0].line), (key, line), "{found:?}");
    }
}

#[test]
fn contradictions_are_found() {
    let wrong = [
        (SMALL.replace("auth = \"none\"", "auth = \"required\""), "portal_key"),
        (SMALL.replace("+19165550000", "911"), "caller_id"),
        (SMALL.replace("callback.enabled = true", "callback = { enabled = true, trunks = [\"other\"] }"), "no trunk"),
        (format!("[server]\npublic_url = \"ftp://x\"\n{SMALL}"), "https://callback.example.gov"),
        (format!("[server]\nhttps = [\"0.0.0.0:443\"]\n{SMALL}"), "certificate"),
        (format!("[sip]\ntls = \"0.0.0.0:5061\"\n{SMALL}"), "tls needs certificate"),
        (SMALL.replace("channels = 10", "channels = 10\nsips = true"), "need transport = \"tls\""),
        (
            SMALL.replace("channels = 10", "channels = 10\nca_file = \"/none\"\ntransport = \"tls\""),
            "not a readable file",
        ),
        (SMALL.replace("username = \"u\"", "register_seconds = 60"), "needs a username"),
        (SMALL.replace("channels = 10", "channels = 10\nsession_seconds = 20"), "at least 90"),
        (SMALL.replace("channels = 10", "channels = 10\nallow_from = [\"ten\"]"), "203.0.113.0/24"),
        (format!("[media]\nrtp_ports = \"5\"\n{SMALL}"), "30000-31999"),
        (format!("[media.turn]\nurls = [\"stun:x\"]\nsecret = \"s\"\n{SMALL}"), "turn:turn.example.gov"),
        (format!("[media.turn]\nurls = [\"turn:x\"]\n{SMALL}"), "either secret or secret_file"),
        (SMALL.replace("auth = \"none\"", "auth = \"none\"\naccent = \"#ffff00\""), "too light"),
        (SMALL.replace("auth = \"none\"", "auth = \"none\"\norigins = [\"https://x; script-src *\"]"), "not an origin"),
        (SMALL.replace("id = \"sacramento\"", "id = \"../etc\""), "a-z"),
    ];
    for (text, expected) in wrong {
        let found = problems(&text);
        assert!(found.iter().any(|problem| problem.to_string().contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_ladder_of_targets_is_read_and_checked() {
    let subject = "\n[[tenant.subject]]\nid = \"x\"\nname = \"X\"\nqueue = \"general\"\n";
    let target = |body: &str| format!("[[tenant.subject.target]]\n{body}\n");
    let queue = "\n[[tenant.queue]]\nid = \"general\"\nname = \"General\"\n";
    let two = target("skills = { tax = 7, law = 2 }\nseconds = 60") + &target("skills = { tax = 3 }");
    let text =
        format!("{SMALL}{queue}{subject}{two}[tenant.language_skills]\nes = {{ skill = \"spanish\", level = 5 }}\n");
    let config = ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let core = &config.tenants[0].core;
    let targets = &core.subjects[0].targets;
    assert_eq!((targets.len(), targets[0].timeout.0), (2, 60_000));
    assert_eq!(targets[0].skills.get(&ringback_routing::ids::SkillId::new("law")), Some(&2));
    assert_eq!(core.language_skill("es-MX"), Some(&("spanish".into(), 5)));
    assert_eq!(core.policy.ageing.map(|step| step.0), Some(300_000));
    let own = queue.replace("General\"", "General\"\npolicy = { offer_seconds = 7 }");
    let config = ServerConfig::parse(&format!("{SMALL}{own}")).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let policies = &config.tenants[0].core.queue_policies;
    let own = &policies[&ringback_routing::ids::QueueId::new("general")];
    assert_eq!((own.offer_timeout.0, own.wrap_up_timeout.0), (7_000, 60_000), "the rest is the tenant's");
    let wrong = [
        (format!("{SMALL}{queue}{subject}{}{}", target(""), target("")), "but the last has `seconds`"),
        (format!("{SMALL}{queue}{subject}{}", target("seconds = 1").repeat(4)), "at most 3 targets"),
        (format!("{SMALL}{queue}{subject}{}", target("skills = { tax = 11 }")), "1 to 10"),
        (format!("{SMALL}{queue}{subject}skill = \"tax\"\n{}", target("")), "has its skills there"),
    ];
    for (text, expected) in wrong {
        let found = problems(&text);
        assert!(found.iter().any(|problem| problem.to_string().contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn origins_are_as_browsers_send_them() {
    assert_eq!(check::origin_of("https://A.example:443/x"), Some("https://a.example".into()));
    assert_eq!(check::origin_of("http://localhost:8080"), Some("http://localhost:8080".into()));
    assert_eq!(check::origin_of("https://"), None);
}
