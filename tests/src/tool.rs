//! What the measuring tools' command lines have in common: the server that lies beside them, brought up to date, and how they end.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use serde::Serialize;

use crate::load::Failure;

/// The server beside this program, in the same target folder.
///
/// # Errors
///
/// When the system does not say where this program lies.
pub fn server() -> Result<PathBuf, Failure> {
    let mut server = std::env::current_exe()?;
    server.set_file_name("ringback");
    Ok(server)
}

/// Under `cargo run` the server beside this program is built first, with the same profile; one that lies elsewhere is taken as it is.
///
/// # Errors
///
/// When it does not build, or is not there.
pub fn bring_up_to_date(server: &Path) -> Result<(), Failure> {
    if let Some(cargo) = std::env::var_os("CARGO")
        && server == self::server()?
    {
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let status = Command::new(cargo).args(["build", "--quiet", "-p", "ringback"]).args(profile).status()?;
        if !status.success() {
            return Err("the server does not build".into());
        }
    }
    if server.is_file() { Ok(()) } else { Err(format!("there is no server at {}", server.display()).into()) }
}

/// Prints a report as the last line, in JSON.
///
/// # Errors
///
/// When the report cannot be written as JSON.
#[allow(clippy::print_stdout, reason = "the result of a command-line tool")]
pub fn print<R: Serialize>(report: &R) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

/// The exit code of a tool that says whether what it saw was good.
pub fn exit(result: Result<bool, Failure>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Tells whoever waits how far it is.
#[allow(clippy::print_stderr, reason = "what a command-line tool says on the way")]
pub fn say(words: &str) {
    eprintln!("{words}");
}
