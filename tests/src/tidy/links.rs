//! Links in the documents lead somewhere.

use std::path::Path;

use super::{none, root, sources};

#[test]
fn links_in_documents_lead_somewhere() {
    let mut findings = Vec::new();
    let mut seen = 0;
    for (file, text) in sources(&["md"]) {
        let folder = root().join(&file).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let whole = if path.is_empty() { root().join(&file) } else { folder.join(path) };
            if !whole.exists() {
                findings.push(format!("{file}: {target}"));
            } else if !anchor.is_empty() && !has_heading(&whole, anchor) {
                findings.push(format!("{file}: {target}: no such heading"));
            }
        }
    }
    assert!(seen > 0, "no link found at all: is the search broken?");
    none(findings, "dead links");
}

/// Files the architecture page walks through, written as `path/to/file.rs` in backticks, exist.
#[test]
fn the_map_shows_what_is_there() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md");
    let findings: Vec<String> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            let path = word.split("::").next().unwrap_or_default();
            let file = [".rs", ".toml", ".sql", ".svelte", ".ts", ".mjs", ".md"].iter().any(|end| path.ends_with(end));
            path.contains('/') && file && !path.contains(['*', '{', ' ']) && !root().join(path).exists()
        })
        .map(str::to_owned)
        .collect();
    none(findings, "docs/ARCHITECTURE.md names files that are not there");
}

/// Rows of the table of foreign peers: what, by whom, a file in backticks, and how the name of a test in it begins.
#[test]
fn what_is_said_to_be_shown_has_its_test() {
    let text = std::fs::read_to_string(root().join("docs/foreign-peers.md")).expect("docs/foreign-peers.md");
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let named: Vec<_> = rows.iter().filter(|row| row.len() == 4 && row[2].starts_with('`')).collect();
    assert!(named.len() > 40, "the table is not read: {}", named.len());
    let lost = named.iter().filter(|row| {
        let file = std::fs::read_to_string(root().join(row[2].trim_matches('`'))).unwrap_or_default();
        let begins = [format!("test('{}", row[3]), format!("test(`{}", row[3]), format!("fn {}(", row[3])];
        row[3].is_empty() || !begins.iter().any(|begin| file.contains(begin))
    });
    none(
        lost.map(|row| format!("{} {}", row[2], row[3])).collect(),
        "docs/foreign-peers.md names tests that are not there",
    );
}

/// The targets of `[text](target)`, outside code blocks.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for piece in line.split("](").skip(1) {
            if let Some((target, _)) = piece.split_once(')') {
                found.push(target.split(' ').next().unwrap_or_default());
            }
        }
    }
    found
}

fn has_heading(file: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let slug: String = words
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        slug == anchor
    })
}

#[test]
fn targets_are_found() {
    assert_eq!(targets("see [a](b.md#c) and [d](e \"title\")\n```\n[no](x)\n```"), ["b.md#c", "e"]);
}
