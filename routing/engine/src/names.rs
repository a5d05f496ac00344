//! A call's SIP names, derived from its leg id: what is committed before the INVITE goes out is known after a crash
//! without having been written twice.

use ringback_routing::ids::LegId;
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SipNames {
    pub call_id: String,
    pub from_tag: String,
    /// Of the first INVITE; with RFC 3261's magic cookie.
    pub branch: String,
}

impl SipNames {
    pub fn of(leg: LegId, node: &str) -> Self {
        Self {
            call_id: format!("{leg}@{node}"),
            from_tag: derived("from-tag", leg)[..16].to_owned(),
            branch: format!("z9hG4bK{}", &derived("branch", leg)[..24]),
        }
    }

    /// Branch of an INVITE that goes over another trunk than the first one.
    pub fn branch_over(leg: LegId, trunk: &str) -> String {
        format!("z9hG4bK{}", &derived(trunk, leg)[..24])
    }
}

fn derived(purpose: &str, leg: LegId) -> String {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update(leg.0.to_be_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_after_a_restart_and_differ_between_legs() {
        let names = SipNames::of(LegId(7), "node-1");
        assert_eq!(names, SipNames::of(LegId(7), "node-1"));
        assert_ne!(names.call_id, SipNames::of(LegId(8), "node-1").call_id);
        assert_ne!(names.from_tag, SipNames::of(LegId(8), "node-1").from_tag);
        assert!(names.branch.starts_with("z9hG4bK"));
    }
}
