//! Rule 19: challenge, age and time.

use std::time::Duration;

use quorate_verify::attestation::{
    AttestationError as E, CLOCK_TOLERANCE_SECONDS, FreshnessUsed, Link, MIN_CHALLENGE_BYTES,
};

use crate::case::{Case, Demand};
use crate::common::cbor::Cbor;
use crate::common::nitro::{NONCE, NOW, TIMESTAMP_MS};

const MINUTE: Duration = Duration::from_secs(60);

refusals! {
    #[test]
    fn missing_nonce_fails_closed: |case| case.payload(|payload| payload.remove("nonce"))
        => E::NonceMissing;
    #[test]
    fn null_nonce_fails_closed: |case| case.payload(|payload| payload.set("nonce", Cbor::Null))
        => E::NonceMissing;
    #[test]
    fn empty_nonce_fails_closed: |case| case.payload(|payload| {
        payload.set("nonce", Cbor::bytes(&[]));
    }) => E::NonceMismatch;
    #[test]
    fn another_nonce_fails_closed: |case| case.payload(|payload| {
        payload.set("nonce", Cbor::bytes(&[7; 32]));
    }) => E::NonceMismatch;
    #[test]
    fn beginning_of_the_nonce_fails_closed: |case| case.payload(|payload| {
        payload.set("nonce", Cbor::bytes(&NONCE[..31]));
    }) => E::NonceMismatch;
    #[test]
    fn longer_nonce_fails_closed: |case| case.payload(|payload| {
        payload.set("nonce", Cbor::Bytes([&NONCE[..], &[0]].concat()));
    }) => E::NonceMismatch;
    #[test]
    fn another_nonce_challenged_fails_closed: |case| {
        case.demand = Demand::Challenged(vec![7; 32], Duration::ZERO, MINUTE);
    } => E::NonceMismatch;
    #[test]
    fn missing_nonce_challenged_fails_closed: |case| {
        case.demand = Demand::Challenged(NONCE.to_vec(), Duration::ZERO, MINUTE);
        case.payload(|payload| payload.remove("nonce"));
    } => E::NonceMissing;

    #[test]
    fn empty_challenge_fails_closed: |case| {
        case.demand = Demand::Live(Vec::new(), MINUTE, NOW);
        case.payload(|payload| payload.set("nonce", Cbor::bytes(&[])));
    } => E::ChallengeTooShort { found: 0 };
    #[test]
    fn challenge_of_15_bytes_fails_closed: |case| {
        case.demand = Demand::Challenged(vec![7; 15], Duration::ZERO, MINUTE);
        case.payload(|payload| payload.set("nonce", Cbor::bytes(&[7; 15])));
    } => E::ChallengeTooShort { found: 15 };

    #[test]
    fn stale_live_document_fails_closed: |case| {
        case.demand = Demand::Live(NONCE.to_vec(), MINUTE, NOW + 61);
    } => E::Stale { age: Duration::from_millis(60_877), max_age: MINUTE };
    #[test]
    fn late_answer_fails_closed: |case| {
        let elapsed = MINUTE + Duration::from_millis(1);
        case.demand = Demand::Challenged(NONCE.to_vec(), elapsed, MINUTE);
    } => E::Stale { age: MINUTE + Duration::from_millis(1), max_age: MINUTE };
    #[test]
    fn document_from_the_future_fails_closed: |case| {
        let now = NOW - CLOCK_TOLERANCE_SECONDS - 1;
        case.demand = Demand::Live(NONCE.to_vec(), MINUTE, now);
    } => E::TimestampInFuture { timestamp_ms: TIMESTAMP_MS, latest: NOW - 1 };
    #[test]
    fn record_from_the_future_fails_closed: |case| {
        case.demand = Demand::Archived(Some(NOW - 1));
    } => E::TimestampInFuture { timestamp_ms: TIMESTAMP_MS, latest: NOW - 1 };
    #[test]
    fn record_at_a_time_after_the_leaf_fails_closed: |case| {
        case.demand = Demand::Archived(Some(NOW + 4 * 3600));
    } => E::CertificateExpired {
        link: Link::Leaf, not_after: NOW + 3 * 3600 - 57, at: NOW + 4 * 3600,
    };
    #[test]
    fn live_at_the_end_of_time_fails_closed: |case| {
        case.demand = Demand::Live(NONCE.to_vec(), Duration::MAX, u64::MAX);
    } => E::CertificateExpired {
        link: Link::Bundle { index: 0 },
        not_after: NOW + 22 * 365 * 86_400,
        at: u64::MAX,
    };
}

#[test]
fn each_demand_reports_what_it_checked() {
    let used = |demand| {
        let mut case = Case::new();
        case.demand = demand;
        *case.verify().unwrap().freshness()
    };
    let nonce = || NONCE.to_vec();
    assert_eq!(
        used(Demand::Live(nonce(), MINUTE, NOW + 60)),
        FreshnessUsed::Live {
            at_unix: NOW + 60,
            age: Duration::from_millis(59_877),
        }
    );
    assert_eq!(
        used(Demand::Challenged(nonce(), MINUTE, MINUTE)),
        FreshnessUsed::Challenged {
            at_unix: NOW,
            elapsed: MINUTE,
        }
    );
    assert_eq!(
        used(Demand::Archived(None)),
        FreshnessUsed::ArchivedAtTimestamp { at_unix: NOW }
    );
    assert_eq!(
        used(Demand::Archived(Some(NOW))),
        FreshnessUsed::ArchivedAt { at_unix: NOW }
    );
    let facts = |demand| {
        let used = used(demand);
        (used.at_unix(), used.is_challenged())
    };
    assert_eq!(
        facts(Demand::Live(nonce(), MINUTE, NOW + 60)),
        (NOW + 60, true)
    );
    assert_eq!(
        facts(Demand::Challenged(nonce(), MINUTE, MINUTE)),
        (NOW, true)
    );
    assert_eq!(facts(Demand::Archived(None)), (NOW, false));
    assert_eq!(facts(Demand::Archived(Some(NOW + 1))), (NOW + 1, false));
}

#[test]
fn a_live_clock_may_be_wrong_within_the_tolerance() {
    let mut case = Case::new();
    case.demand = Demand::Live(NONCE.to_vec(), MINUTE, NOW - CLOCK_TOLERANCE_SECONDS);
    let attested = case.verify().unwrap();
    assert_eq!(
        *attested.freshness(),
        FreshnessUsed::Live {
            at_unix: NOW - CLOCK_TOLERANCE_SECONDS,
            age: Duration::ZERO,
        }
    );
}

#[test]
fn the_shortest_challenge_is_accepted() {
    let mut case = Case::new();
    case.demand = Demand::Live(vec![7; MIN_CHALLENGE_BYTES], MINUTE, NOW);
    case.payload(|payload| payload.set("nonce", Cbor::bytes(&[7; MIN_CHALLENGE_BYTES])));
    assert!(case.verify().is_ok());
}

#[test]
fn a_record_needs_no_challenge() {
    let mut case = Case::new();
    case.demand = Demand::Archived(None);
    case.payload(|payload| payload.remove("nonce"));
    assert!(!case.verify().unwrap().freshness().is_challenged());
}
