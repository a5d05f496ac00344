//! Licences of what we build on, by the same list that `cargo deny` reads.

use std::collections::BTreeSet;

use super::{metadata, none, root};

fn deny() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml").parse().expect("deny.toml is TOML")
}

#[test]
fn every_dependency_has_a_licence_we_accept() {
    let deny = deny();
    let words = |table: &toml::Value, key: &str| -> BTreeSet<String> {
        table[key].as_array().expect(key).iter().map(|v| v.as_str().expect("text").to_owned()).collect()
    };
    let allowed = words(&deny["licenses"], "allow");
    // One crate, one more licence, with the reason in deny.toml.
    let exceptions: BTreeSet<(String, String)> = deny["licenses"]["exceptions"]
        .as_array()
        .expect("exceptions")
        .iter()
        .flat_map(|e| words(e, "allow").into_iter().map(move |l| (e["crate"].as_str().expect("crate").to_owned(), l)))
        .collect();
    let clarified = deny["licenses"]["clarify"].as_array().expect("clarify");
    let metadata = metadata(true);
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let clarified = clarified.iter().find(|c| c["crate"].as_str() == Some(name)).map(|c| c["expression"].as_str());
        let expression = package["license"].as_str().or(clarified.flatten()).unwrap_or("none given");
        let accepts =
            |licence: &str| allowed.contains(licence) || exceptions.contains(&(name.to_owned(), licence.to_owned()));
        if !satisfied(expression, &accepts) {
            findings.push(format!("{name}: {expression}"));
        }
    }
    none(findings, "licences outside the list of deny.toml");
}

#[test]
fn banned_crates_are_absent() {
    let deny = deny();
    let banned: Vec<&str> =
        deny["bans"]["deny"].as_array().expect("deny").iter().map(|b| b["crate"].as_str().expect("crate")).collect();
    assert!(!banned.is_empty());
    let lock: toml::Table =
        std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let mut findings = Vec::new();
    for package in lock["package"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        if banned.contains(&name) {
            findings.push(name.to_owned());
        }
        if package.get("source").and_then(|s| s.as_str()).is_some_and(|s| s.starts_with("git+")) {
            findings.push(format!("{name} comes from a git address"));
        }
    }
    none(findings, "crates that deny.toml bans");
}

/// An SPDX expression: OR, AND, WITH, parentheses; the old `A/B` means OR.
fn satisfied(expression: &str, accepts: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (value, rest) = any(&words, accepts);
    value && rest.is_empty()
}

fn any<'a>(words: &'a [&'a str], accepts: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut value, mut rest) = all(words, accepts);
    while let ["OR", tail @ ..] = rest {
        let (right, after) = all(tail, accepts);
        value |= right;
        rest = after;
    }
    (value, rest)
}

fn all<'a>(words: &'a [&'a str], accepts: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut value, mut rest) = one(words, accepts);
    while let ["AND", tail @ ..] = rest {
        let (right, after) = one(tail, accepts);
        value &= right;
        rest = after;
    }
    (value, rest)
}

fn one<'a>(words: &'a [&'a str], accepts: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    match words {
        ["(", tail @ ..] => {
            let (value, rest) = any(tail, accepts);
            (value, rest.get(1..).unwrap_or_default())
        }
        [licence, "WITH", exception, tail @ ..] => (accepts(&format!("{licence} WITH {exception}")), tail),
        [licence, tail @ ..] => (accepts(licence), tail),
        [] => (false, &[]),
    }
}

#[test]
fn expressions_are_read_as_written() {
    let mit = |licence: &str| licence == "MIT";
    assert!(satisfied("MIT OR GPL-3.0", &mit));
    assert!(satisfied("Apache-2.0/MIT", &mit));
    assert!(!satisfied("MIT AND GPL-3.0", &mit));
    assert!(satisfied("(GPL-3.0 OR MIT) AND MIT", &mit));
    assert!(!satisfied("GPL-3.0", &mit));
    assert!(!satisfied("none given", &mit));
}
