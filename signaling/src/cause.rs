//! The one table that turns SIP statuses into attempt results.

use crate::event::FailureCause;

/// Statuses with a meaning of their own. Any other final status of 300 and above is [`FailureCause::Failed`].
///
/// | status | meaning | cause |
/// |---|---|---|
/// | 401 407 | our credentials were refused | Rejected |
/// | 403 | forbidden | Rejected |
/// | 404 410 484 604 | no such number | Unreachable |
/// | 408 480 | nobody there | NoAnswer |
/// | 486 600 | busy | Busy |
/// | 487 | cancelled by us (the ring timeout makes it NoAnswer) | Cancelled |
/// | 503 | the carrier cannot | Unreachable |
/// | 603 607 608 | the called party or its analytics declined | Rejected |
///
/// No status at all: timer B and transport errors are Unreachable.
const TABLE: &[(u16, FailureCause)] = &[
    (401, FailureCause::Rejected),
    (403, FailureCause::Rejected),
    (404, FailureCause::Unreachable),
    (407, FailureCause::Rejected),
    (408, FailureCause::NoAnswer),
    (410, FailureCause::Unreachable),
    (480, FailureCause::NoAnswer),
    (484, FailureCause::Unreachable),
    (486, FailureCause::Busy),
    (487, FailureCause::Cancelled),
    (503, FailureCause::Unreachable),
    (600, FailureCause::Busy),
    (603, FailureCause::Rejected),
    (604, FailureCause::Unreachable),
    (607, FailureCause::Rejected),
    (608, FailureCause::Rejected),
];

impl FailureCause {
    /// The cause of a final response to our INVITE.
    pub fn of_status(status: u16) -> Self {
        TABLE.iter().find(|(known, _)| *known == status).map_or(Self::Failed, |(_, cause)| *cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_status_has_its_cause() {
        let expected = |status: u16| match status {
            486 | 600 => FailureCause::Busy,
            408 | 480 => FailureCause::NoAnswer,
            401 | 403 | 407 | 603 | 607 | 608 => FailureCause::Rejected,
            404 | 410 | 484 | 503 | 604 => FailureCause::Unreachable,
            487 => FailureCause::Cancelled,
            _ => FailureCause::Failed,
        };
        for status in 300..700 {
            assert_eq!(FailureCause::of_status(status), expected(status), "{status}");
        }
    }
}
