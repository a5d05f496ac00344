//! The ledger's promises, each kept on SQLite and on PostgreSQL.

mod evidence;
mod staff;
mod support;
mod turns;
