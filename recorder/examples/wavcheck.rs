//! Measures WAV files for end-to-end tests: `wavcheck call.wav 440 1000 [--window 10] [--from ms] [--to ms]` prints one
//! line of JSON: duration, and for each channel RMS, peak and for each frequency the level, the span in which it sounds
//! and the windows within the span that are below half the usual level (their number, and the first twenty). Whether a
//! tone is absent is told by `level`, which is taken over the whole stretch; short windows hear loud neighbours too.

use std::{path::Path, process::ExitCode};

use ringback_recorder::{tone, wav::read_all};
use serde_json::{Value, json};

/// Weak windows printed one by one.
const MAX_LISTED: usize = 20;

struct Wanted {
    file: String,
    tones: Vec<f64>,
    window_ms: u32,
    from_ms: u64,
    to_ms: u64,
}

#[allow(clippy::print_stdout)] // Its output is what it is for.
fn main() -> ExitCode {
    let Some(wanted) = arguments() else {
        eprintln!("usage: wavcheck file.wav [frequency …] [--window ms] [--from ms] [--to ms]");
        return ExitCode::from(2);
    };
    match measure(&wanted) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", wanted.file);
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<Wanted> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next()?;
    let mut wanted = Wanted { file, tones: Vec::new(), window_ms: 10, from_ms: 0, to_ms: u64::MAX };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--window" => wanted.window_ms = arguments.next()?.parse().ok()?,
            "--from" => wanted.from_ms = arguments.next()?.parse().ok()?,
            "--to" => wanted.to_ms = arguments.next()?.parse().ok()?,
            tone => wanted.tones.push(tone.parse().ok()?),
        }
    }
    Some(wanted)
}

fn measure(wanted: &Wanted) -> std::io::Result<Value> {
    let (rate, channels, samples) = read_all(Path::new(&wanted.file))?;
    let channels = usize::from(channels.max(1));
    let frames = samples.len() / channels;
    let sample_at = |ms: u64| (ms.saturating_mul(u64::from(rate)) / 1_000).min(frames as u64) as usize;
    let (from, to) = (sample_at(wanted.from_ms), sample_at(wanted.to_ms));
    let lane = |channel: usize| -> Vec<i16> {
        samples.iter().skip(channel).step_by(channels).copied().take(to).skip(from).collect()
    };
    let lanes: Vec<Value> = (0..channels).map(|channel| report(&lane(channel), rate, wanted)).collect();
    Ok(json!({
        "file": wanted.file,
        "sample_rate": rate,
        "channels": channels,
        "samples": frames,
        "duration_ms": frames as f64 * 1_000.0 / f64::from(rate.max(1)),
        "lanes": lanes,
    }))
}

fn report(samples: &[i16], rate: u32, wanted: &Wanted) -> Value {
    let from = wanted.from_ms as f64;
    let tones: Vec<Value> = wanted
        .tones
        .iter()
        .map(|&freq| {
            let tone = tone::find(samples, rate, freq, wanted.window_ms);
            let weak: Vec<Value> = tone
                .weak
                .iter()
                .take(MAX_LISTED)
                .map(|weak| json!({ "at_ms": weak.at_ms + from, "level": weak.level }))
                .collect();
            json!({
                "freq": freq,
                "level": tone.level,
                "reference": tone.reference,
                "first_ms": tone.span.map(|(first, _)| first + from),
                "last_ms": tone.span.map(|(_, last)| last + from),
                "weak_windows": tone.weak.len(),
                "weak": weak,
            })
        })
        .collect();
    json!({ "rms": tone::rms(samples), "peak": tone::peak(samples), "tones": tones })
}
