//! The simulator: installations of random tenants live through random days on the real core, in virtual time, with
//! everything around it played: customers, agents and their browsers, trunks shared by the tenants, crashes, clocks that
//! jump, administrators who change their minds. After every event the outputs are checked; the same seed gives the same
//! digest.
//!
//! [`scene`] makes tenants, [`agenda`] is what will happen, [`site`] lets it happen, [`people`] and [`chatters`] say what people do,
//! [`house`] what the house does and what befalls it, [`turn`] is one event from end to end, [`exchange`] the far side of
//! the deeds, [`ledger`] and [`record`] hold rows and invariants, [`twin`] proves what a crash changes, [`run`] deals sites to threads
//! and adds them up.

pub mod agenda;
pub mod chatters;
pub mod dice;
pub mod exchange;
pub mod house;
pub mod ledger;
pub mod people;
pub mod record;
pub mod run;
pub mod scene;
pub mod site;
pub mod turn;
pub mod twin;

#[cfg(test)]
mod tests;

/// A broken invariant, in words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

pub type Checked = Result<(), Fault>;

/// Fails with the words given unless the condition holds.
macro_rules! insist {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err($crate::sim::Fault(format!($($why)+)));
        }
    };
}
pub(crate) use insist;
