//! `queueburst [--callers N] [--per-second N] [--agents N] [--talk SECONDS] [--storm] [--server PATH]`: so many callers at once for few
//! agents; with `--storm` beside ten thousand datagrams a second of ill will. The last line is JSON. See docs/performance.md and
//! docs/robustness.md.

use std::{process::ExitCode, time::Duration};

use ringback_tests::{
    load::Failure,
    queueburst::{Options, run},
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
    Ok(report.is_good())
}

fn options() -> Result<Options, Failure> {
    let server = tool::server()?;
    let (ring, talk) = (Duration::from_millis(200), Duration::from_secs(2));
    let mut options = Options { callers: 200, per_second: 100, agents: 20, ring, talk, server, storm: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--callers" => options.callers = value()?.parse()?,
            "--per-second" => options.per_second = value()?.parse()?,
            "--agents" => options.agents = value()?.parse()?,
            "--talk" => options.talk = Duration::from_secs(value()?.parse()?),
            "--storm" => options.storm = true,
            "--server" => options.server = value()?.into(),
            _ => {
                let known = "--callers N, --per-second N, --agents N, --talk SECONDS, --storm, --server PATH";
                return Err(format!("unknown argument {word}; there are {known}").into());
            }
        }
    }
    Ok(options)
}
