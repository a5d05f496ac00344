//! `chatload --chats N --seconds S [--rate R] [--kill] [--server PATH]`: measures the server under N chats at a time, each
//! written in from both ends R times a second together. The last line is JSON. See docs/performance.md.

use std::process::ExitCode;

use ringback_tests::{
    chatload::{Options, run},
    load::Failure,
    tool,
};

#[tokio::main]
async fn main() -> ExitCode {
    tool::exit(measured().await)
}

async fn measured() -> Result<bool, Failure> {
    let options = options()?;
    tool::bring_up_to_date(&options.server)?;
    let report = run(&options, tool::say).await?;
    tool::print(&report)?;
    Ok(report.lost == 0 && report.doubled == 0)
}

fn options() -> Result<Options, Failure> {
    let server = tool::server()?;
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
