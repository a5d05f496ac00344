//! Who may import whom, and which foreign library may be named where (docs/ARCHITECTURE.md).

use super::{metadata, none, sources};

/// Our packages, and which of ours each may import. Acyclic, the core at the bottom.
const EDGES: &[(&str, &[&str])] = &[
    ("ringback-routing", &[]),
    ("ringback-signaling", &[]),
    ("ringback-media", &[]),
    ("ringback-store", &["ringback-routing"]),
    ("ringback-recorder", &["ringback-media"]),
    (
        "ringback-engine",
        &["ringback-routing", "ringback-store", "ringback-signaling", "ringback-media", "ringback-recorder"],
    ),
    (
        "ringback",
        &[
            "ringback-routing",
            "ringback-store",
            "ringback-engine",
            "ringback-signaling",
            "ringback-media",
            "ringback-recorder",
        ],
    ),
    (
        "ringback-tests",
        &[
            "ringback",
            "ringback-routing",
            "ringback-store",
            "ringback-engine",
            "ringback-signaling",
            "ringback-media",
            "ringback-recorder",
        ],
    ),
];

/// All that the core may use at run time.
const CORE_USES: &[&str] = &["serde", "chrono", "chrono-tz", "thiserror"];

/// A foreign library gets one wrapping file and its types do not leave it.
const WRAPPED: &[(&str, &[&str])] = &[
    ("rsip", &["signaling/src/message.rs"]),
    ("webrtc", &["media/src/webrtc_leg.rs", "media/src/testing"]),
    ("rtc", &["media/src/webrtc_leg.rs", "media/src/srtp.rs", "media/src/keying.rs", "media/src/testing"]),
    ("rusqlite", &["routing/store/src/sqlite.rs"]),
    ("hound", &["recorder/src/wav.rs"]),
    ("opus_rs", &["media/src/opus.rs"]),
    ("hickory_resolver", &["signaling/src/resolver.rs"]),
    ("tokio_rustls", &["signaling/src/transport/tls.rs", "web/src/"]),
];

/// Of the web crate only these may name the crates below the engine.
const WEB_OPEN: &[&str] = &["web/src/main.rs", "web/src/demo/"];

/// The one place where the core finds by hash: without a random start, and what is read from it is read in order.
const FOUND_BY_HASH: &str = "routing/core/src/filing.rs";

/// What would make the core depend on more than its events: clocks, chance, I/O, threads, and maps without an order.
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::thread",
    "std::sync",
    "HashMap",
    "HashSet",
    "getrandom",
    "println!",
];

#[test]
fn crates_import_only_what_they_may() {
    let metadata = metadata(false);
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        let Some((_, allowed)) = EDGES.iter().find(|(of, _)| *of == name) else {
            findings.push(format!("{name}: no such package in the plan"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("name");
            let for_tests = dependency["kind"] == "dev";
            if EDGES.iter().any(|(of, _)| *of == on) && !allowed.contains(&on) && !for_tests {
                findings.push(format!("{name} → {on}"));
            }
            if name == "ringback-routing" && !for_tests && !CORE_USES.contains(&on) {
                findings.push(format!("the core → {on}"));
            }
            if on == "sqlx" && !matches!(name, "ringback-store" | "ringback-tests") {
                findings.push(format!("{name} → sqlx, the store's own"));
            }
        }
    }
    none(findings, "imports against the plan");
}

#[test]
fn foreign_libraries_stay_in_their_file() {
    let mut findings = Vec::new();
    for (file, text) in sources(&["rs"]) {
        for (library, homes) in WRAPPED {
            if homes.iter().any(|home| file.starts_with(home)) || file.starts_with("tests/") {
                continue;
            }
            for (number, line) in code_lines(&text) {
                if names_crate(line, library) {
                    findings.push(format!("{file}:{number} names {library}"));
                }
            }
        }
    }
    none(findings, "foreign types outside the file that wraps them");
}

#[test]
fn the_web_reaches_calls_through_the_engine() {
    let mut findings = Vec::new();
    for (file, text) in sources(&["rs"]) {
        if !file.starts_with("web/src/") || WEB_OPEN.iter().any(|open| file.starts_with(open)) {
            continue;
        }
        for (number, line) in code_lines(&text) {
            for library in ["ringback_signaling", "ringback_media", "ringback_recorder"] {
                if names_crate(line, library) {
                    findings.push(format!("{file}:{number} names {library}"));
                }
            }
        }
    }
    none(findings, "the web crate past the engine");
}

#[test]
fn the_core_is_pure() {
    let mut findings = Vec::new();
    for (file, text) in sources(&["rs"]) {
        if !file.starts_with("routing/core/src/") {
            continue;
        }
        for (number, line) in code_lines(&text) {
            // What is shared and never changed is no thread's business.
            let allowed = |word: &&&str| match **word {
                "HashMap" => file == FOUND_BY_HASH,
                "std::sync" => line == "use std::sync::Arc;",
                _ => false,
            };
            let impure = IMPURE.iter().filter(|word| has_word(line, word)).filter(|word| !allowed(word));
            findings.extend(impure.map(|word| format!("{file}:{number} {word}")));
        }
    }
    none(findings, "the core must depend on its events alone");
}

/// Lines that are not comments, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line.trim_start())).filter(|(_, line)| !line.starts_with("//"))
}

/// `library::…`, `use library;` or `use library as …`, and not a longer name that ends in it.
fn names_crate(line: &str, library: &str) -> bool {
    let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '"');
    line.match_indices(library).any(|(at, _)| {
        let rest = &line[at + library.len()..];
        starts(at) && (rest.starts_with("::") || line.starts_with("use ") && rest.starts_with([';', ' ']))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(inside) && !line[at + word.len()..].starts_with(inside)
    })
}

#[test]
fn names_are_found_whole() {
    assert!(names_crate("use rsip::Header;", "rsip"));
    assert!(names_crate("let x: rtc::Peer = y;", "rtc"));
    assert!(!names_crate("let x: webrtc::Peer = y;", "rtc"));
    assert!(!names_crate("self.rtc.poll()", "rtc"));
    assert!(has_word("let t = Instant::now();", "Instant"));
    assert!(!has_word("struct Instantly;", "Instant"));
}
