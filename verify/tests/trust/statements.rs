//! Statements of policy, key-generation and signing: accepted where they agree, and each way in
//! which they do not fails the check `statements` by its own name.

use quorate_protocol::activity::AppReason;
use quorate_protocol::application::ApplicationEvidence;
use quorate_protocol::atoms::{Bytes, Sha256};
use quorate_protocol::cbor::{Checked, Object, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::organization::{Address, Wei};
use quorate_protocol::statement::{
    Decision, Outcome, SignatureStatement, Subject, WalletStatement,
};
use quorate_protocol::ticket::{NewWallet, NewWalletFields, Payment, Ticket, TransactionFacts};
use quorate_protocol::wallet::{Account, Path, Words};
use quorate_verify::evidence::Report;
use quorate_verify::explain;

use crate::evidence::report;
use crate::world::{
    Instance, MANIFEST_SET, SIGNED_AT, World, application, approved, check, key, name,
    verification_key,
};

const LIMIT: u128 = 1000;

fn bytes<const MIN: usize, const MAX: usize>(byte: u8, length: usize) -> Bytes<MIN, MAX> {
    Bytes::new(vec![byte; length]).unwrap()
}

fn account() -> Account {
    Account {
        path: Path::new("m/44'/60'/0'/0/0").unwrap(),
        address: Address([0xaa; 20]),
        public_key: bytes(2, 33),
    }
}

fn new_wallet() -> NewWallet {
    let paths = vec![account().path];
    let words = Words::TwentyFour;
    Checked::new(NewWalletFields { words, paths }).unwrap()
}

fn payment(cost: u128) -> Payment {
    Payment {
        wallet: bytes(1, 16),
        account: account(),
        facts: TransactionFacts {
            chain: 1,
            nonce: 0,
            to: Some(Address([0xbb; 20])),
            value: Wei::from_u128(cost),
            gas: 0,
            max_fee: Wei::from_u128(0),
            max_priority_fee: Wei::from_u128(0),
            cost: Wei::from_u128(cost),
            data: 0,
            access_list: 0,
        },
        signing_hash: bytes(3, 32),
    }
}

fn ticket(number: u8) -> Digest<Ticket> {
    Digest::from_bytes([number; 32])
}

fn decision(request: u8, subject: Subject, outcome: Outcome) -> Decision {
    Decision {
        fingerprint: Sha256([request; 32]),
        organization: Digest::from_bytes([0x0f; 32]),
        owner: verification_key("owner"),
        subject,
        limit: Wei::from_u128(LIMIT),
        chain: 1,
        outcome,
        time: SIGNED_AT,
    }
}

/// What the three applications state.
struct Said {
    decisions: Vec<Decision>,
    wallets: Vec<WalletStatement>,
    signatures: Vec<SignatureStatement>,
}

/// A wallet, a payment of it, and one over the limit.
fn good() -> Said {
    let organization = Digest::from_bytes([0x0f; 32]);
    Said {
        decisions: vec![
            decision(
                1,
                Subject::Wallet(new_wallet()),
                Outcome::Allowed(ticket(1)),
            ),
            decision(
                2,
                Subject::Payment(payment(LIMIT)),
                Outcome::Allowed(ticket(2)),
            ),
            decision(
                3,
                Subject::Payment(payment(LIMIT + 1)),
                Outcome::Denied(AppReason::OverLimit),
            ),
        ],
        wallets: vec![WalletStatement {
            fingerprint: Sha256([1; 32]),
            organization,
            ticket: ticket(1),
            wallet: bytes(1, 16),
            words: Words::TwentyFour,
            accounts: vec![account()],
        }],
        signatures: vec![SignatureStatement {
            fingerprint: Sha256([2; 32]),
            organization,
            ticket: ticket(2),
            payment: payment(LIMIT),
            transaction: bytes(4, 32),
        }],
    }
}

fn instance(world: &World) -> Instance<'_> {
    let mut fields = world.first();
    fields.applications = ["key-generation", "policy", "signing"]
        .map(application)
        .into();
    Instance {
        world,
        chain: vec![approved(check(fields), &MANIFEST_SET)],
    }
}

fn started<T: Object>(
    instance: &Instance<'_>,
    application: &str,
    kind: &str,
    statements: &[T],
) -> ApplicationEvidence {
    let mut evidence = instance.started(
        instance.start(application, 1),
        instance.proof(application, 1),
    );
    evidence.proofs = statements
        .iter()
        .map(|statement| {
            let mut proof = instance.proof(application, 1);
            proof.kind = name(kind);
            proof.payload = Bytes::new(to_bytes(statement)).unwrap();
            Signed::sign(proof, &key("application"))
        })
        .collect();
    evidence
}

fn reported(said: &Said) -> Report {
    let world = World::new();
    let instance = instance(&world);
    let mut evidence = instance.evidence();
    evidence.applications = vec![
        started(&instance, "key-generation", "wallet", &said.wallets),
        started(&instance, "policy", "decision", &said.decisions),
        started(&instance, "signing", "signature", &said.signatures),
    ];
    report(&evidence)
}

#[track_caller]
fn fails(change: impl FnOnce(&mut Said), code: &str) {
    let mut said = good();
    change(&mut said);
    let report = reported(&said);
    let failed: Vec<_> = report.failed().map(|check| check.id).collect();
    assert_eq!(failed, &["statements"]);
    let error = report.check("statements").unwrap().error.as_ref().unwrap();
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.remedy().is_empty());
    assert!(!report.is_accepted());
    assert!(report.facts.activities.is_empty());
    assert!(reported(&good()).is_accepted());
}

#[test]
fn statements_that_agree_are_accepted_and_said_in_words() {
    let report = reported(&good());
    assert!(
        report.is_accepted(),
        "{:?}",
        report.failed().collect::<Vec<_>>()
    );
    let activities = &report.facts.activities;
    assert_eq!(activities.len(), 3);
    assert_eq!(activities[0].wallet, good().wallets.pop());
    assert_eq!(activities[1].signature, good().signatures.pop());
    assert!(activities[2].is_denied());
    let text = explain::text(&report);
    for words in [
        "Who decided what",
        "manifest 1, ",
        "ALLOWED it on ",
        "DENIED it on ",
        "made the accounts 0xaaaaaaaa",
        "1000 wei from 0xaaaa",
        "to 0xbbbbbb",
        "signed it: transaction 0x04040404",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

/// A wallet of an earlier day is not in every file.
#[test]
fn a_payment_of_a_wallet_that_is_not_in_the_evidence_is_accepted() {
    let mut said = good();
    said.wallets.clear();
    assert!(reported(&said).is_accepted());
}

#[test]
fn statements_of_other_applications_and_kinds_are_not_looked_into() {
    let world = World::new();
    let instance = Instance::new(&world);
    let mut evidence = instance.evidence();
    let mut proof = instance.proof("echo", 1);
    proof.kind = name("signature");
    evidence.applications[0].proofs = vec![Signed::sign(proof, &key("application"))];
    let report = report(&evidence);
    assert!(report.is_accepted());
    assert!(report.facts.activities.is_empty());
}

#[test]
fn a_signature_that_nobody_decided_on_fails_closed() {
    fails(|said| drop(said.decisions.remove(1)), "undecided");
    fails(|said| said.signatures[0].ticket = ticket(9), "undecided");
}

#[test]
fn a_wallet_that_nobody_decided_on_fails_closed() {
    fails(|said| drop(said.decisions.remove(0)), "undecided");
}

/// A denied request has no ticket, so nothing can follow from it.
#[test]
fn a_signature_over_the_limit_fails_closed() {
    fails(
        |said| said.signatures[0].payment = payment(LIMIT + 1),
        "statement-differs",
    );
}

#[test]
fn a_signature_for_another_request_fails_closed() {
    fails(
        |said| said.signatures[0].fingerprint = Sha256([9; 32]),
        "statement-differs",
    );
}

#[test]
fn a_signature_for_another_organization_fails_closed() {
    fails(
        |said| said.signatures[0].organization = Digest::from_bytes([9; 32]),
        "statement-differs",
    );
}

#[test]
fn a_signature_with_the_ticket_of_a_wallet_fails_closed() {
    fails(
        |said| {
            said.signatures[0].ticket = ticket(1);
            said.signatures[0].fingerprint = Sha256([1; 32]);
        },
        "statement-differs",
    );
}

#[test]
fn a_wallet_other_than_the_one_decided_on_fails_closed() {
    fails(
        |said| said.wallets[0].words = Words::Twelve,
        "statement-differs",
    );
    fails(
        |said| said.wallets[0].accounts[0].path = Path::new("m/0").unwrap(),
        "statement-differs",
    );
}

#[test]
fn two_signatures_with_one_ticket_fails_closed() {
    fails(
        |said| said.signatures.extend(good().signatures),
        "statement-repeated",
    );
}

#[test]
fn two_decisions_with_one_ticket_fails_closed() {
    fails(
        |said| said.decisions[2].outcome = Outcome::Allowed(ticket(2)),
        "decision-unjustified",
    );
    fails(
        |said| said.decisions.extend(good().decisions),
        "statement-repeated",
    );
}

#[test]
fn a_decision_against_its_own_terms_fails_closed() {
    fails(
        |said| said.decisions[1].limit = Wei::from_u128(LIMIT - 1),
        "decision-unjustified",
    );
    fails(|said| said.decisions[1].chain = 2, "decision-unjustified");
    fails(
        |said| said.decisions[2].limit = Wei::MAX,
        "decision-unjustified",
    );
}

#[test]
fn an_account_of_another_wallet_fails_closed() {
    fails(
        |said| said.wallets[0].accounts[0].address = Address([0xcc; 20]),
        "account-of-another",
    );
}

#[test]
fn a_statement_that_is_none_fails_closed() {
    let world = World::new();
    let instance = instance(&world);
    let mut evidence = instance.evidence();
    let said = good();
    evidence.applications = vec![
        started(&instance, "policy", "decision", &said.wallets),
        started(&instance, "signing", "signature", &said.signatures),
    ];
    let report = report(&evidence);
    let error = report.check("statements").unwrap().error.clone().unwrap();
    assert_eq!(error.code(), "statement-unreadable", "{error}");
}
