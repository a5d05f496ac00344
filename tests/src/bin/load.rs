//! `load --calls N --seconds S [--flat] [--server PATH]`: measures the server under N recorded calls at a time. The last line is
//! JSON. See docs/performance.md.

use std::process::ExitCode;

use ringback_tests::{
    load::{Failure, Options, run},
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
    // In the soak calls end with sound still on its way to who has gone; loss is judged where calls only go on.
    Ok(match &report.growth {
        Some(growth) => growth.flat,
        None => report.lost_packets == 0,
    })
}

fn options() -> Result<Options, Failure> {
    let server = tool::server()?;
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
