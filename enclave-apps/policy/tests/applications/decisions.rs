//! The decision: limit, chain, plain transfers; and what is stated about it.

use proptest::prelude::*;
use quorate_chain::U256;
use quorate_chain::ethereum::Eip1559;
use quorate_policy::decide;
use quorate_protocol::activity::{AppReason, PolicyResponse};
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::digest::Digest;
use quorate_protocol::organization::{Address, Wei};
use quorate_protocol::statement::{DECISION, Decision, Outcome, Subject};
use quorate_protocol::ticket::{Operation, TransactionFacts};

use crate::system::{CHAIN, ETHER, HOME, NOW, System, completed, denied, founding, transfer};

fn decision(payload: &quorate_protocol::application::ApplicationProof) -> Decision {
    assert_eq!(payload.kind.as_str(), DECISION);
    from_bytes(payload.payload.as_slice()).expect("a decision")
}

/// Refused with this reason, proved, and nobody was asked to sign.
#[track_caller]
fn denies(transaction: Eip1559, reason: AppReason) {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    let before = system.edges.messages().len();
    let denied = denied(system.sign(&account, transaction));
    assert_eq!(denied.refusal.reason, reason);
    let decision = decision(denied.decision.unverified());
    assert_eq!(decision.outcome, Outcome::Denied(reason));
    assert_eq!(decision.organization, system.organization.digest());
    assert_eq!(decision.limit, Wei::from_u128(ETHER));
    assert_eq!(decision.time, NOW);
    assert_eq!(system.edges.messages().len(), before);
    // The limit itself is allowed.
    completed(system.sign(&account, transfer(ETHER)));
}

#[test]
fn a_transaction_one_wei_over_the_limit_fails_closed() {
    denies(transfer(ETHER + 1), AppReason::OverLimit);
}

#[test]
fn a_transaction_whose_cost_overflows_fails_closed() {
    let most = Eip1559 {
        gas_limit: u64::MAX,
        max_fee_per_gas: u128::MAX,
        value: U256::MAX,
        ..transfer(ETHER)
    };
    denies(most, AppReason::OverLimit);
}

#[test]
fn a_transaction_for_another_chain_fails_closed() {
    let other = Eip1559 {
        chain_id: CHAIN + 1,
        ..transfer(ETHER)
    };
    denies(other, AppReason::WrongChain);
}

#[test]
fn a_call_of_a_contract_fails_closed() {
    let call = Eip1559 {
        data: vec![0xa9, 0x05, 0x9c, 0xbb],
        ..transfer(ETHER)
    };
    denies(call, AppReason::NotATransfer);
}

#[test]
fn a_creation_of_a_contract_fails_closed() {
    let creation = Eip1559 {
        to: None,
        ..transfer(ETHER)
    };
    denies(creation, AppReason::NotATransfer);
}

/// The same transaction, under two organizations whose limits are one wei apart.
#[test]
fn one_wei_of_the_limit_flips_the_decision() {
    for (limit, allowed) in [(ETHER, true), (ETHER - 1, false)] {
        let system = System::of(HOME, Wei::from_u128(limit));
        let account = system.wallet().accounts.remove(0);
        let answer = system.sign(&account, transfer(ETHER));
        assert_eq!(matches!(answer, PolicyResponse::Completed(_)), allowed);
        assert_eq!(matches!(answer, PolicyResponse::Denied(_)), !allowed);
    }
}

#[test]
fn an_allowed_decision_names_ticket_and_transaction() {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    let done = completed(system.sign(&account, transfer(ETHER)));
    let decision = decision(done.decision.unverified());
    assert_eq!(decision.outcome, Outcome::Allowed(Digest::of(&done.ticket)));
    assert_eq!(done.ticket.operation, Digest::of(&done.operation));
    let Operation::SignTransaction(operation) = done.operation else {
        panic!("a signature was asked for");
    };
    assert_eq!(decision.subject, Subject::Payment(operation.payment));
    assert_eq!(decision.fingerprint, operation.fingerprint);
}

fn facts(cost: Wei) -> TransactionFacts {
    TransactionFacts {
        chain: CHAIN,
        nonce: 0,
        to: Some(Address([1; 20])),
        value: Wei::from_u128(0),
        gas: 21_000,
        max_fee: Wei::from_u128(0),
        max_priority_fee: Wei::from_u128(0),
        cost,
        data: 0,
        access_list: 0,
    }
}

proptest! {
    /// Allowed exactly up to the limit, whatever the limit.
    #[test]
    fn a_transfer_is_allowed_exactly_up_to_the_limit(limit in any::<[u8; 32]>()) {
        let number = U256::from_be_bytes(&limit);
        let limit = founding(Wei(limit), 0);
        let decided = |cost: U256| decide(&limit, &facts(Wei(cost.to_be_bytes())));
        prop_assert_eq!(decided(number), Ok(()));
        if let Some(more) = number.checked_add(U256::ONE) {
            prop_assert_eq!(decided(more), Err(AppReason::OverLimit));
        }
        if let Some(less) = number.checked_sub(U256::ONE) {
            prop_assert_eq!(decided(less), Ok(()));
        }
    }

    /// Chain and form are judged whatever the cost.
    #[test]
    fn another_chain_or_form_is_never_allowed(
        cost in any::<[u8; 32]>(),
        chain in any::<u64>(),
        data in 1..=u64::MAX,
    ) {
        let terms = founding(Wei::MAX, 0);
        let mut other = facts(Wei(cost));
        other.chain = chain;
        prop_assert_eq!(decide(&terms, &other).is_ok(), chain == CHAIN);
        let mut call = facts(Wei(cost));
        call.data = data;
        prop_assert_eq!(decide(&terms, &call), Err(AppReason::NotATransfer));
        let mut creation = facts(Wei(cost));
        creation.to = None;
        prop_assert_eq!(decide(&terms, &creation), Err(AppReason::NotATransfer));
    }
}
