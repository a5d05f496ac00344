//! `replay LEDGER…`: replays the journals that end-to-end runs left. One line a ledger and tenant, `same …` or
//! `DIFFERENT …`; exit code 1 if any differs or nothing was found.

use std::process::ExitCode;

use ringback_routing::ids::TenantId;
use ringback_store::{AuditSearch, Store, StoreConfig};
use ringback_tests::replay::{Replayed, replay};

/// The tenants of the scenarios and of the demo.
const TENANTS: &[&str] = &["sacramento", "placer", "shasta", "alpine"];

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "the result of a command-line tool")]
async fn main() -> ExitCode {
    let mut same = 0;
    let mut different = 0;
    for path in std::env::args().skip(1) {
        match of_ledger(&path).await {
            Ok(lines) => {
                for line in lines {
                    same += usize::from(line.starts_with("same "));
                    different += usize::from(line.starts_with("DIFFERENT "));
                    println!("{line}");
                }
            }
            Err(error) => {
                different += 1;
                println!("DIFFERENT {path}: {error}");
            }
        }
    }
    println!("{same} same, {different} different");
    if different == 0 && same > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn of_ledger(path: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let absolute = std::path::absolute(path)?;
    let store = Store::open(&format!("sqlite://{}", absolute.display()), StoreConfig::default()).await?;
    let name = absolute.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut lines = Vec::new();
    for tenant in TENANTS {
        let journal = store.journal(&TenantId::new(*tenant)).await?;
        if journal.is_empty() {
            continue;
        }
        let erasure = AuditSearch { what: "person_erased".into(), ..AuditSearch::default() };
        let erased = !store.audit_rows(Some(&TenantId::new(*tenant)), &erasure, 1).await?.is_empty();
        lines.push(match replay(&journal, erased) {
            Ok(Replayed { same, after_erased: 0 }) => format!("same {name} {tenant}: {same} entries"),
            Ok(Replayed { same, after_erased }) => {
                format!("same {name} {tenant}: {same} entries; {after_erased} after erased ones cannot be compared")
            }
            Err(difference) => format!("DIFFERENT {name} {tenant}: {difference}"),
        });
    }
    store.close().await;
    if lines.is_empty() {
        return Err("no journal of any tenant".into());
    }
    Ok(lines)
}
