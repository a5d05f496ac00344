//! What the ledger's tests share: one body for both databases, and records to store.
#![allow(unreachable_pub)]

use std::collections::BTreeMap;

use ringback_routing::{
    agent::*,
    contact::*,
    ids::*,
    output::{Change, Fact},
    reason::Reason,
    time::Timestamp,
};
use ringback_store::*;

/// Runs one async body on SQLite and on PostgreSQL, each with a fresh database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(ringback_store::testing::Database::sqlite().expect("a temporary folder")).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(database) = ringback_store::testing::Database::postgres().await.expect("PostgreSQL") {
                    super::$name(database).await;
                }
            })*
        }
    };
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub fn tenant(word: &str) -> TenantId {
    TenantId::new(word)
}

pub fn dialog(tenant: &TenantId, leg: u128, doc: Option<&str>, saved_at: i64) -> KeptDialog {
    KeptDialog { tenant: tenant.clone(), leg: LegId(leg), saved_at: at(saved_at), doc: doc.map(str::to_owned) }
}

pub fn contact(id: u128, number: &str) -> Contact {
    Contact {
        id: ContactId(id),
        channel: Channel::Callback,
        state: ContactState::Queued { since: at(0) },
        customer: std::sync::Arc::new(Customer {
            name: format!("José Núñez {id}"),
            number: number.into(),
            number_key: format!("key-of-{number}"),
            customer_id: Some("c-1".into()),
            verified: true,
            number_proven: false,
            language: "es".into(),
            page: None,
            context: BTreeMap::from([("case".into(), "42".into())]),
        }),
        queue: QueueId::new("permits"),
        subject: SubjectId::new("general"),
        priority: 5,
        target: 1,
        widen_at: None,
        preferred: None,
        requested_at: at(id as i64),
        status_token_digest: Some(format!("digest-{id}").into()),
        segments: Vec::new(),
        attempts: Vec::new(),
        cool_off: BTreeMap::new(),
        position_when_requested: 1,
        ewt_when_requested: None,
        first_wait: None,
        config_version: 1,
        reason: Reason::JustRequested,
        closed_at: None,
        chat: None,
        third: None,
        third_end: None,
        over: None,
    }
}

pub fn attempt(contact: u128, ordinal: u32, state: AttemptState) -> Attempt {
    let unique = contact * 1000 + u128::from(ordinal);
    Attempt {
        id: AttemptId(unique),
        ordinal,
        leg: LegId(unique),
        trunk: TrunkId::new("main"),
        segment: Some(SegmentId(unique)),
        state,
        dialled_at: at(10),
        ringing_at: None,
        answered_at: None,
        bridged_at: None,
        ended_at: None,
        announcement: None,
        position_when_dialled: 1,
        ewt_when_dialled: None,
    }
}

pub fn agent(id: &str) -> AgentRecord {
    AgentRecord {
        id: AgentId::new(id),
        state: AgentState::Ready,
        since: at(1),
        next: None,
        auto_return_at: None,
        idle_since: at(1),
        session: Some(SessionId::new("tab-1")),
        health: Health { tab: true, microphone: true, media: true },
    }
}

pub fn saved(contact: &Contact) -> Change {
    Change::ContactSaved { contact: Box::new(contact.clone()) }
}

pub fn requested(id: u128, millis: i64) -> Change {
    Change::ContactFact {
        contact: ContactId(id),
        at: at(millis),
        fact: Fact::Requested { position: 1, ewt: None, ewt_p90: None, config_version: 1 },
    }
}

pub fn turn(tenant: &TenantId, epoch: i64, changes: Vec<Change>) -> TurnWrite {
    TurnWrite { tenant: tenant.clone(), epoch, journal: Vec::new(), changes }
}

pub fn entry(seq: u64, millis: i64) -> JournalEntry {
    JournalEntry {
        at: at(millis),
        seq,
        kind: if seq == 1 { JournalKind::Start } else { JournalKind::Event },
        body: format!("{{\"n\":{seq}}}"),
        outputs_digest: format!("d{seq}"),
    }
}

pub fn recording(id: u128, contact: &Contact, started: i64, agent: Option<&str>) -> RecordingRow {
    RecordingRow {
        id: RecordingId(id),
        contact: contact.id,
        leg: LegId(id),
        party: match agent {
            Some(agent) => ringback_routing::output::Party::Agent { agent: AgentId::new(agent) },
            None => ringback_routing::output::Party::Customer,
        },
        agent: agent.map(AgentId::new),
        queue: contact.queue.clone(),
        number_key: contact.customer.number_key.clone(),
        number_last4: contact.customer.number[contact.customer.number.len() - 4..].into(),
        path: format!("a/2026/01/01/{}.wav", RecordingId(id)),
        node: "n1".into(),
        state: RecordingState::Recording,
        started_at: at(started),
        offset_ms: 0,
        duration_ms: 0,
        bytes: 0,
        lost_frames: 0,
        chain: String::new(),
        marks: serde_json::json!([]),
    }
}

/// The database behind the ledger's back: for looking and for tampering.
pub mod raw {
    use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

    pub enum Raw {
        Sqlite(SqliteConnection),
        Postgres(PgConnection),
    }

    impl Raw {
        pub async fn connect(url: &str) -> Self {
            match url.starts_with("sqlite") {
                true => Self::Sqlite(SqliteConnection::connect(url).await.expect("SQLite")),
                false => Self::Postgres(PgConnection::connect(url).await.expect("PostgreSQL")),
            }
        }

        pub async fn run(&mut self, text: &str) -> Result<(), String> {
            let query = sqlx::raw_sql(AssertSqlSafe(text));
            match self {
                Self::Sqlite(conn) => query.execute(conn).await.map(drop),
                Self::Postgres(conn) => query.execute(conn).await.map(drop),
            }
            .map_err(|error| error.to_string())
        }

        /// The first column of the first row.
        pub async fn number(&mut self, text: &str) -> i64 {
            match self {
                Self::Sqlite(conn) => sqlx::query(AssertSqlSafe(text)).fetch_one(conn).await.expect("a row").get(0),
                Self::Postgres(conn) => sqlx::query(AssertSqlSafe(text)).fetch_one(conn).await.expect("a row").get(0),
            }
        }

        /// Takes the triggers off, as someone with the database's password could.
        pub async fn unguard(&mut self, table: &str) {
            for what in ["update", "delete"] {
                let drop = match self {
                    Self::Sqlite(_) => format!("DROP TRIGGER IF EXISTS {table}_no_{what}"),
                    Self::Postgres(_) => format!("DROP TRIGGER IF EXISTS {table}_no_{what} ON {table}"),
                };
                self.run(&drop).await.expect("dropping a trigger");
            }
        }
    }
}
