//! The binary `ringback`.

use std::process::ExitCode;

use ringback::{
    cli::{self, Command},
    config::{LogFormat, ServerConfig},
    demo, evidence, http, run,
    start::RunError,
    users,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    return_large_memory();
    match cli::parse(std::env::args().skip(1)).map_err(RunError::Config).and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringback: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Blocks of a megabyte and more go back to the system when they are freed. By default the C library learns to keep them,
/// in several arenas: checking passwords (19 MiB each) then cost half a gigabyte for the rest of the day. What is smaller is kept up
/// to a megabyte in each arena: the ledger's thread gave memory back with every turn and asked for it again with the next.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
fn return_large_memory() {
    // SAFETY: mallopt only sets tunables of the allocator, and no other thread runs yet. A refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TOP_PAD, 1 << 18);
        libc::mallopt(libc::M_ARENA_MAX, 4);
    }
}

#[cfg(not(target_env = "gnu"))]
fn return_large_memory() {}

fn perform(command: Command) -> Result<(), RunError> {
    match command {
        Command::Help => say(cli::HELP),
        Command::Version => say(concat!("ringback ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::OpenApi => say(&http::openapi::text()),
        Command::CheckConfig { config } => say(&load(&config)?.redacted()),
        Command::VerifyAudit { config } => {
            let config = load(&config)?;
            let (report, whole) = runtime(0)?.block_on(evidence::verify(&config))?;
            say(&report);
            if !whole {
                return Err(RunError::Config("the audit is not as it was written".to_owned()));
            }
        }
        Command::Backup { config, to } => {
            let config = load(&config)?;
            say(&runtime(0)?.block_on(evidence::back_up(&config, &to))?);
        }
        Command::Restore { config, from } => {
            let config = load(&config)?;
            say(&runtime(0)?.block_on(evidence::restore(&config, &from))?);
        }
        Command::UserAdd(add) => runtime(0)?.block_on(users::add(&add))?,
        Command::Serve { config } => {
            let config = load(&config)?;
            logs(config.file.server.log);
            runtime(config.file.server.workers)?.block_on(async { run::up(config, None).await?.until_told().await })?;
        }
        Command::Demo { data_dir, http } => {
            logs(LogFormat::Text);
            runtime(0)?.block_on(demo::run(&data_dir, http))?;
        }
    }
    Ok(())
}

fn load(path: &std::path::Path) -> Result<ServerConfig, RunError> {
    ServerConfig::load(path).map_err(|error| RunError::Config(error.to_string()))
}

/// `workers` as configured. Left to itself it has half of the processors: sound and the ledger have threads of their own, and
/// with a worker for each processor most events only wake one worker after the other.
fn runtime(workers: u8) -> Result<tokio::runtime::Runtime, RunError> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if workers == 0 { (processors / 2).max(1) } else { usize::from(workers) };
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// `RUST_LOG` chooses what is logged; info without it.
fn logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}

#[allow(clippy::print_stdout, reason = "what a command answers goes to standard output")]
fn say(text: &str) {
    print!("{text}");
}
