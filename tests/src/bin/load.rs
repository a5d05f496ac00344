//! `load --calls N --seconds S [--flat] [--server PATH]`: measures the server under N recorded calls at a time. The last line is
//! JSON. See docs/performance.md.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use ringback_tests::load::{Failure, Options, run};

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "the result of a command-line tool")]
async fn main() -> ExitCode {
    let result = async {
        let options = options()?;
        build(&options)?;
        let report = run(&options, |words| eprintln!("{words}")).await?;
        println!("{}", serde_json::to_string(&report)?);
        // In the soak calls end with sound still on its way to who has gone; loss is judged where calls only go on.
        Ok::<bool, Failure>(match &report.growth {
            Some(growth) => growth.flat,
            None => report.lost_packets == 0,
        })
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
    let mut options = Options { calls: 200, seconds: 20, server, flat: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--calls" => options.calls = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--server" => options.server = value()?.into(),
            "--flat" => options.flat = true,
            _ => {
                return Err(format!(
                    "unknown argument {word}; there are --calls N, --seconds S, --flat, --server PATH"
                )
                .into());
            }
        }
    }
    Ok(options)
}
