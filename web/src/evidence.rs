//! `ringback verify-audit`: whether the audit is as it was written, without a running server.

use std::fmt::Write;

use ringback_store::AuditVerdict;

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
