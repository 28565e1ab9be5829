//! Evidence, as a stranger verifies it.

use quorate_verify::evidence::{Decision, Policy, Time, verify};
use quorate_verify::explain;

use crate::development;

/// The whole verification and its text. Whatever the file says, it is the report that decides, and
/// nothing is accepted of which a check failed.
pub(crate) fn verification(data: &[u8]) {
    for time in [Time::Archived, Time::At(development::NOW_MS / 1000)] {
        let report = verify(data, &Policy::unpinned(), development::anchors(), time);
        let failed = report.failed().count();
        assert!(
            !(report.is_accepted() && failed > 0),
            "accepted although a check failed"
        );
        assert_eq!(report.is_accepted(), report.decision == Decision::Accept);
        assert!(
            !explain::text(&report).is_empty(),
            "a report without a text"
        );
    }
}
