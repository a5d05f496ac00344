//! What proves Ringback from outside: the house rules as tests (`tidy`), the [`replay`] of journals, [`fuzz`]ing, the load
//! generator and the simulator ([`sim`]).
//! The end-to-end scenarios with foreign SIP peers and a real browser are in `tests/e2e`; `tests/run` runs everything.

pub mod chatload;
pub mod fuzz;
pub mod load;
pub mod queueburst;
pub mod replay;
pub mod sim;
pub mod sipload;
pub mod tool;

#[cfg(test)]
mod tidy;
