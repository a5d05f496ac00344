//! `chatload --chats N --seconds S [--rate R] [--kill] [--server PATH]`: measures the server under N chats at a time, each
//! written in from both ends R times a second together. The last line is JSON. See docs/performance.md.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use ringback_tests::{
    chatload::{Options, run},
    load::Failure,
};

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "the result of a command-line tool")]
async fn main() -> ExitCode {
    let result = async {
        let options = options()?;
        build(&options)?;
        let report = run(&options, |words| eprintln!("{words}")).await?;
        println!("{}", serde_json::to_string(&report)?);
        Ok::<bool, Failure>(report.lost == 0 && report.doubled == 0)
    };
    match result.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Under `cargo run` the server is brought up to date first, with the same profile.
fn build(options: &Options) -> Result<(), Failure> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    let status = Command::new(cargo).args(["build", "--quiet", "-p", "ringback"]).args(profile).status()?;
    if status.success() && options.server.is_file() { Ok(()) } else { Err("the server does not build".into()) }
}

fn options() -> Result<Options, Failure> {
    // Beside this program, in the same target folder.
    let mut server: PathBuf = std::env::current_exe()?;
    server.set_file_name("ringback");
    let mut options = Options { chats: 1000, seconds: 20, rate: 2.4, kill: false, server };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--chats" => options.chats = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--rate" => options.rate = value()?.parse()?,
            "--kill" => options.kill = true,
            "--server" => options.server = value()?.into(),
            _ => {
                return Err(format!(
                    "unknown argument {word}; there are --chats N, --seconds S, --rate R, --kill, --server PATH"
                )
                .into());
            }
        }
    }
    Ok(options)
}
