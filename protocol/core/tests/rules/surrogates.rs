//! Rules of what surrogates act with.

use quorate_protocol::cbor::from_bytes;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::surrogate::{Delegation, MAX_DELEGATION_MS};
use quorate_vectors::committed::cases;
use quorate_vectors::tree::Item;

use super::replaced;

/// Where roles, end and making are in a delegation.
const ROLES: usize = 5;
const EXPIRES: usize = 15;

/// When the first delegation of the vectors was made.
fn made() -> u64 {
    let case = cases("delegation")
        .into_iter()
        .next()
        .expect("a delegation");
    from_bytes::<Delegation>(&case.bytes)
        .expect("a delegation")
        .time
        .0
}

#[test]
fn a_delegation_that_ends_before_it_was_made_or_too_late_fails_closed() {
    for expires in [0, made(), made() + MAX_DELEGATION_MS + 1, u64::MAX] {
        let with = Item::Unsigned(expires);
        replaced::<Delegation>("delegation", &[EXPIRES], with, &Invalid::DelegationLength);
    }
}

#[test]
fn roles_of_a_delegation_out_of_order_or_repeated_fail_closed() {
    let rule = Invalid::RolesNotAscending;
    replaced::<Delegation>("delegation", &[ROLES, 0], Item::Unsigned(2), &rule);
    replaced::<Delegation>("delegation", &[ROLES, 1], Item::Unsigned(1), &rule);
}
