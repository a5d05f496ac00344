//! `sipload --cps N --seconds S [--storm N]`: measures the signaling crate alone, making authenticated calls over a trunk of UDP. The last
//! line is JSON. See docs/performance.md.

use std::process::ExitCode;

use ringback_tests::{
    sipload::{Options, far, run, storm},
    tool,
};

fn main() -> ExitCode {
    let result = || {
        let mut words = std::env::args().skip(1);
        let mut options = Options { cps: 200, seconds: 20, storm: 0 };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                // The process that plays the carrier.
                "--far" => return far::serve().map(|()| true),
                // The process that sends garbage.
                "--rage" => {
                    return storm::rage(value()?.parse()?, value()?.parse()?, value()?.parse()?, value()?.parse()?)
                        .map(|()| true);
                }
                "--storm" => options.storm = value()?.parse()?,
                "--cps" => options.cps = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
                _ => {
                    return Err(format!("unknown argument {word}; there are --cps N, --seconds S and --storm N").into());
                }
            }
        }
        // One thread, so that the figure is the work and not the handing over of it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(run(&options))?;
        tool::print(&report)?;
        Ok(report.is_good())
    };
    tool::exit(result())
}
