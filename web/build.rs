//! Builds the browser pages into OUT_DIR, from where they are embedded.
//!
//! `RINGBACK_WEB=none` embeds nothing; `RINGBACK_WEB_DIST=path` embeds pages built elsewhere. Apart from `node_modules`
//! nothing is written into the source tree.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Oldest Node that Vite 8 runs on.
const NODE: (u32, u32) = (20, 19);
const WATCHED: &[&str] =
    &["src", "package.json", "package-lock.json", "vite.config.ts", "svelte.config.js", "tsconfig.json"];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RINGBACK_WEB");
    println!("cargo::rerun-if-env-changed=RINGBACK_WEB_DIST");
    match pages() {
        Ok(dist) => {
            println!("cargo::rustc-env=RINGBACK_EMBEDDED_PAGES={}", dist.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}

/// Where the pages to embed are.
fn pages() -> Result<PathBuf, String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    if env::var_os("RINGBACK_WEB").is_some_and(|value| value == "none") {
        let empty = out.join("no-pages");
        fs::create_dir_all(&empty).map_err(|error| format!("{}: {error}", empty.display()))?;
        return Ok(empty);
    }
    if let Some(dist) = env::var_os("RINGBACK_WEB_DIST").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", dist.display());
        let absolute = fs::canonicalize(&dist);
        return absolute.map_err(|error| format!("RINGBACK_WEB_DIST={}: {error}", dist.display()));
    }
    let ui = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?).join("ui");
    for watched in WATCHED {
        println!("cargo::rerun-if-changed={}", ui.join(watched).display());
    }
    check_node()?;
    install(&ui)?;
    let dist = out.join("dist");
    let vite = ui.join("node_modules/vite/bin/vite.js");
    run(
        &ui,
        "node",
        &[vite.as_os_str(), "build".as_ref(), "--outDir".as_ref(), dist.as_os_str(), "--emptyOutDir".as_ref()],
    )?;
    Ok(dist)
}

fn check_node() -> Result<(), String> {
    let wanted = format!("Node {}.{} or newer", NODE.0, NODE.1);
    let ways =
        "install it, or set RINGBACK_WEB_DIST to pages built elsewhere, or RINGBACK_WEB=none to build without pages";
    let output = Command::new("node").arg("--version").output();
    let Ok(output) = output else { return Err(format!("{wanted} is needed to build the pages: {ways}.")) };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().trim_start_matches('v');
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= NODE {
        Ok(())
    } else {
        Err(format!("{wanted} is needed to build the pages, this is {version}: {ways}."))
    }
}

/// `npm ci` when the lockfile is not the one that was installed.
fn install(ui: &Path) -> Result<(), String> {
    let lock = fs::read(ui.join("package-lock.json")).map_err(|error| format!("web/ui/package-lock.json: {error}"))?;
    let stamp = ui.join("node_modules/.ringback-lock");
    let installed_by_hand = || {
        let time = |path: PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
        let installed = time(ui.join("node_modules/.package-lock.json"));
        installed.is_some() && installed >= time(ui.join("package-lock.json"))
    };
    if fs::read(&stamp).is_ok_and(|stamped| stamped == lock) || installed_by_hand() {
        return Ok(());
    }
    let words = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"].map(OsStr::new);
    run(ui, "npm", &words)?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn run(folder: &Path, program: &str, words: &[&OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(words).current_dir(folder).output();
    let output = output.map_err(|error| format!("{program} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let tail: Vec<&str> = said.lines().rev().take(12).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(format!("building the pages failed ({program}): {}", tail.join(" | ")))
}
