//! The house rules of `CONTRIBUTING.md` that a machine can check, over the files git tracks.

mod edges;
mod licences;
mod links;
mod text;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// Tracked files, relative to the root, that are still on disk.
fn tracked() -> Vec<String> {
    let out = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git runs");
    assert!(out.status.success(), "git ls-files: {}", String::from_utf8_lossy(&out.stderr));
    let files: Vec<String> = String::from_utf8(out.stdout)
        .expect("file names are UTF-8")
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .map(str::to_owned)
        .collect();
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

/// Tracked files with one of these extensions, and their text.
fn sources(extensions: &[&str]) -> Vec<(String, String)> {
    tracked()
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|e| extensions.iter().any(|x| e == *x)))
        .filter_map(|name| std::fs::read_to_string(root().join(&name)).ok().map(|text| (name, text)))
        .collect()
}

/// `cargo metadata` as JSON; with dependencies of dependencies only when `deep`.
fn metadata(deep: bool) -> serde_json::Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    if !deep {
        cargo.arg("--no-deps");
    }
    let out = cargo.output().expect("cargo runs");
    assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo prints JSON")
}

/// Fails with all findings at once, one a line.
fn none(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
