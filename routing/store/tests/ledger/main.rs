//! The ledger's promises, each kept on SQLite and on PostgreSQL.

mod administrators;
mod backup;
mod chat;
mod crash;
mod directory;
mod evidence;
mod gate;
mod leases_of_numbers;
mod load;
mod person;
mod retention;
mod schema;
mod staff;
mod support;
mod turns;
mod webhooks;
