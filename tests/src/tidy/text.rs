//! Rules on the text of files: size, names, unfinished work, traces of one machine.

use std::path::Path;

use super::{none, root, sources, tracked};

/// A file is one idea. Tests, which are tables at heart, may be longer.
const MAX_LINES: usize = 600;
const MAX_TEST_LINES: usize = 800;

/// Written by a generator, or by nobody.
const GENERATED: &[&str] = &["Cargo.lock", "package-lock.json", "docs/openapi.json", ".d.ts"];

/// A name that says nothing of the field says nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "manager", "helper", "helpers", "common", "misc", "stuff"];

const TEXT: &[&str] = &[
    "rs", "ts", "svelte", "mjs", "js", "css", "html", "sh", "toml", "md", "json", "xml", "cfg", "sql", "service", "yml",
];

#[test]
fn files_are_one_idea_long() {
    let mut findings = Vec::new();
    for (file, text) in sources(&["rs", "ts", "svelte", "mjs", "js", "css", "sh", "sql"]) {
        let limit = if is_test(&file) { MAX_TEST_LINES } else { MAX_LINES };
        let lines = text.lines().count();
        if lines > limit && !is_generated(&file) {
            findings.push(format!("{file}: {lines} lines, at most {limit}"));
        }
    }
    none(findings, "split by idea");
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    // Put together here so that this file does not find itself.
    let words = [
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("#[ig", "nore"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("not ", "implemented"),
        concat!("test.", "skip"),
        concat!(".on", "ly("),
        concat!("place", "holder"),
    ];
    let mut findings = Vec::new();
    for (file, text) in sources(&["rs", "ts", "svelte", "mjs", "sh"]) {
        for (number, line) in text.lines().enumerate() {
            findings.extend(
                words.iter().filter(|word| line.contains(*word)).map(|word| format!("{file}:{} {word}", number + 1)),
            );
        }
    }
    none(findings, "unfinished or switched off");
}

#[test]
fn files_are_named_by_nouns_of_the_field() {
    let findings = tracked()
        .into_iter()
        .filter(|file| {
            Path::new(file).components().any(|part| {
                let part = part.as_os_str().to_string_lossy().to_lowercase();
                EMPTY_NAMES.contains(&part.split('.').next().unwrap_or_default())
            })
        })
        .collect();
    none(findings, "a name that says nothing");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut marks =
        vec![concat!("/ro", "ot/").to_owned(), concat!("/ho", "me/").to_owned(), concat!("/wo", "rk/").to_owned()];
    // Wherever this clone lies, unless it lies somewhere as general as /src.
    let here = root();
    if here.components().count() > 2 {
        marks.push(format!("{}/", here.display()));
    }
    let mut findings = Vec::new();
    for (file, text) in sources(TEXT) {
        for (number, line) in text.lines().enumerate() {
            findings.extend(
                marks.iter().filter(|mark| line.contains(*mark)).map(|mark| format!("{file}:{} {mark}", number + 1)),
            );
        }
    }
    none(findings, "absolute paths of one machine");
}

#[test]
fn lockfiles_name_no_download_hosts() {
    let findings = sources(&["json"])
        .into_iter()
        .filter(|(file, text)| file.ends_with("package-lock.json") && text.contains("\"resolved\""))
        .map(|(file, _)| file)
        .collect();
    none(findings, "npm lockfiles with download addresses (omit-lockfile-registry-resolved)");
}

fn is_test(file: &str) -> bool {
    file.contains("/tests/")
        || file.contains("/tests.")
        || file.contains("_test.")
        || file.contains(".test.")
        || file.contains("_tests.")
}

fn is_generated(file: &str) -> bool {
    GENERATED.iter().any(|end| file.ends_with(end))
}
