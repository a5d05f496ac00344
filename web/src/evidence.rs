//! `ringback verify-audit`, `backup` and `restore`: whether the audit is as it was written, and the ledger as one file. None of
//! them needs a running server.

use std::{fmt::Write, path::Path};

use ringback_store::{AuditVerdict, BackupReport, Store, StoreConfig};

use crate::{
    config::ServerConfig,
    start::{self, RunError},
};

/// A line per chain, and whether all are whole.
pub async fn verify(config: &ServerConfig) -> Result<(String, bool), RunError> {
    let store = start::open_store(config).await?;
    let checked = store.verify_audits().await;
    store.close().await;
    let (mut report, mut whole) = (String::new(), true);
    for chain in checked? {
        let name = chain.tenant.map_or_else(|| "the operators".to_owned(), |tenant| tenant.to_string());
        // Writing to a String cannot fail.
        let _ = match chain.verdict {
            AuditVerdict::Whole { rows } => writeln!(report, "{name}: whole, {rows} rows, head {}", chain.head),
            AuditVerdict::Broken { seq } => {
                whole = false;
                writeln!(report, "{name}: BROKEN at row {seq}: it is missing or not as it was written")
            }
        };
    }
    if report.is_empty() {
        report.push_str("there is no audit yet\n");
    }
    Ok((report, whole))
}

/// Writes the ledger to a new file and says what is in it.
pub async fn back_up(config: &ServerConfig, to: &Path) -> Result<String, RunError> {
    let store = start::open_store(config).await?;
    let written = store.back_up(to, start::wall_clock()).await;
    store.close().await;
    Ok(told(&written?, "written to", to) + "Recordings are files of their own: copy their folder as well.\n")
}

/// Reads a backup into the configured ledger, which must be empty.
pub async fn restore(config: &ServerConfig, from: &Path) -> Result<String, RunError> {
    start::make_folder(&config.file.server.data_dir)?;
    let report = Store::restore(&config.store_url, &StoreConfig::default(), from).await?;
    Ok(told(&report, "read from", from))
}

fn told(report: &BackupReport, what: &str, file: &Path) -> String {
    let mut text = String::new();
    for (table, rows) in &report.tables {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{rows:>10}  {table}");
    }
    let rows: u64 = report.tables.values().sum();
    let _ = writeln!(text, "{rows} rows of schema {} {what} {}", report.schema, file.display());
    text
}
