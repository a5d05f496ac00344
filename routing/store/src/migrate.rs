//! Numbered migrations, embedded in the program and recorded in the database with their checksums.
//!
//! A migration is one text for both databases, then one for its dialect (triggers have no common form). All that are
//! missing are applied in one transaction, so that a start that fails leaves the schema as it was.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    digest,
    error::StoreError,
    sql::{Conn, Dialect, sql},
};

pub(crate) struct Migration {
    pub(crate) version: i64,
    name: &'static str,
    common: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "ledger",
        common: include_str!("../migrations/0001_ledger.sql"),
        sqlite: include_str!("../migrations/0001_guards.sqlite.sql"),
        postgres: include_str!("../migrations/0001_guards.postgres.sql"),
    },
    Migration {
        version: 2,
        name: "tenant_configs",
        common: include_str!("../migrations/0002_tenant_configs.sql"),
        sqlite: include_str!("../migrations/0002_guards.sqlite.sql"),
        postgres: include_str!("../migrations/0002_guards.postgres.sql"),
    },
    Migration {
        version: 3,
        name: "chat",
        common: include_str!("../migrations/0003_chat.sql"),
        sqlite: include_str!("../migrations/0003_guards.sqlite.sql"),
        postgres: include_str!("../migrations/0003_guards.postgres.sql"),
    },
    Migration {
        version: 4,
        name: "calls_that_come_in",
        common: include_str!("../migrations/0004_calls_that_come_in.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 5,
        name: "number_leases",
        common: include_str!("../migrations/0005_number_leases.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 6,
        name: "gate",
        common: include_str!("../migrations/0006_gate.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 7,
        name: "people",
        common: include_str!("../migrations/0007_people.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 8,
        name: "temporary_passwords",
        common: include_str!("../migrations/0008_temporary_passwords.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 9,
        name: "counties",
        common: include_str!("../migrations/0009_counties.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 10,
        name: "directory",
        common: include_str!("../migrations/0010_directory.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 11,
        name: "leg_quality",
        common: include_str!("../migrations/0011_leg_quality.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 12,
        name: "retention",
        common: include_str!("../migrations/0012_retention.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 13,
        name: "trunk_versions",
        common: include_str!("../migrations/0013_trunk_versions.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 14,
        name: "webhooks",
        common: include_str!("../migrations/0014_webhooks.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 15,
        name: "sounds",
        common: include_str!("../migrations/0015_sounds.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 16,
        name: "outside_legs",
        common: include_str!("../migrations/0016_outside_legs.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 17,
        name: "people_leave",
        common: include_str!("../migrations/0017_people_leave.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 18,
        name: "user_versions",
        common: include_str!("../migrations/0018_user_versions.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 19,
        name: "short_codes",
        common: include_str!("../migrations/0019_short_codes.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 20,
        name: "pictures",
        common: include_str!("../migrations/0020_pictures.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        version: 21,
        name: "fewer_indexes",
        common: include_str!("../migrations/0021_fewer_indexes.sql"),
        sqlite: "",
        postgres: "",
    },
];

impl Migration {
    fn own(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }

    /// SHA-256 over both texts of this dialect.
    pub(crate) fn checksum(&self, dialect: Dialect) -> String {
        digest::hex_of(&[self.common.as_bytes(), self.own(dialect).as_bytes()])
    }
}

/// Two nodes starting at once on one PostgreSQL wait for each other; any number will do, as long as it stays.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7230942817)";

/// Brings the schema up to `target`, at most the newest this build knows.
///
/// # Errors
/// [`StoreError::Schema`] when the database holds a migration this build does not know, or knows with another text.
pub(crate) async fn migrate(conn: &mut Conn, target: i64) -> Result<(), StoreError> {
    let dialect = conn.dialect();
    conn.begin().await?;
    let outcome = apply_missing(conn, dialect, target).await;
    match outcome {
        Ok(()) => Ok(conn.script("COMMIT").await?),
        Err(error) => {
            if let Err(rollback) = conn.script("ROLLBACK").await {
                tracing::warn!(%rollback, "rolling back a failed migration failed too");
            }
            Err(error)
        }
    }
}

async fn apply_missing(conn: &mut Conn, dialect: Dialect, target: i64) -> Result<(), StoreError> {
    if dialect == Dialect::Postgres {
        conn.script(ADVISORY_LOCK).await?;
    }
    conn.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
    )
    .await?;
    let applied = sql("SELECT version, checksum FROM schema_migrations ORDER BY version").all(&mut *conn).await?;
    let mut present = BTreeSet::new();
    for row in applied {
        let version = row.int("version")?;
        let Some(known) = MIGRATIONS.iter().find(|migration| migration.version == version) else {
            return Err(StoreError::schema(format!(
                "the database is at schema {version}, this program knows up to {}",
                newest()
            )));
        };
        if known.checksum(dialect) != row.text("checksum")? {
            return Err(StoreError::schema(format!("migration {version} was applied with another text")));
        }
        present.insert(version);
    }
    // By what is there and not by the highest number: migrations that were written side by side may come in either order.
    for migration in MIGRATIONS.iter().filter(|m| !present.contains(&m.version) && m.version <= target) {
        conn.script(migration.common).await?;
        if !migration.own(dialect).is_empty() {
            conn.script(migration.own(dialect)).await?;
        }
        sql("INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)")
            .int(migration.version)
            .text(migration.name)
            .text(migration.checksum(dialect))
            .int(wall_clock())
            .run(&mut *conn)
            .await?;
        tracing::info!(version = migration.version, name = migration.name, "schema migrated");
    }
    Ok(())
}

pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// For the administrator who asks when a migration ran; nothing is decided by it.
fn wall_clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
