//! The ledger's promises, each kept on SQLite and on PostgreSQL.

mod support;
mod turns;
