//! Tickets: once, by whom they are for, from whom they are, for what they are.

use quorate_operation::{Issuer, Start, TICKET_LIFE};
use quorate_protocol::activity::AppReason;
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::statement::POLICY;
use quorate_protocol::ticket::{Operation, Redeem, Redeemed, TicketFields};

use crate::system::{ETHER, NOW, System, completed, identity, name, scalar, transfer};

/// A system that has signed once, and the message that signing got.
fn captured() -> (System, Redeem) {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    completed(system.sign(&account, transfer(ETHER)));
    let redeem = system.edges.captured();
    (system, redeem)
}

fn policy() -> Start {
    Start::new(&name(POLICY), 1)
}

#[track_caller]
fn shows(system: &System, peer: &Start, redeem: &Redeem, reason: AppReason) {
    match system.edges.show(peer, &to_bytes(redeem), NOW) {
        Redeemed::Refused(refusal) => assert_eq!(refusal.reason, reason),
        other => panic!("not refused: {other:?}"),
    }
}

/// The next ticket, changed; the good one still counts afterwards.
#[track_caller]
fn changed_fails(reason: AppReason, change: impl FnOnce(&mut TicketFields)) {
    let (system, captured) = captured();
    let mut fields = captured.ticket.clone().into_inner();
    fields.number += 1;
    let good = Redeem {
        ticket: Checked::new(fields.clone()).expect("a number"),
        ..captured.clone()
    };
    change(&mut fields);
    let bad = Redeem {
        ticket: Checked::new(fields).expect("a number"),
        ..captured
    };
    shows(&system, &policy(), &bad, reason);
    let answer = system.edges.show(&policy(), &to_bytes(&good), NOW);
    assert!(matches!(answer, Redeemed::Transaction(_)), "{answer:?}");
}

#[test]
fn a_ticket_that_was_used_fails_closed() {
    let (system, redeem) = captured();
    shows(&system, &policy(), &redeem, AppReason::TicketUsed);
    let stranger = Start::new(&name("replayer"), 1);
    shows(&system, &stranger, &redeem, AppReason::TicketUsed);
}

#[test]
fn a_ticket_below_one_that_was_used_fails_closed() {
    changed_fails(AppReason::TicketUsed, |ticket| ticket.number -= 1);
}

#[test]
fn a_ticket_shown_after_a_restart_fails_closed() {
    let (system, redeem) = captured();
    system.edges.restart_signing(2);
    shows(
        &system,
        &policy(),
        &redeem,
        AppReason::TicketForAnotherStart,
    );
}

#[test]
fn a_ticket_for_another_instance_fails_closed() {
    changed_fails(AppReason::TicketForAnotherInstance, |ticket| {
        ticket.instance = VerificationKey::of(&scalar(0x78));
    });
}

#[test]
fn a_ticket_for_another_application_fails_closed() {
    changed_fails(AppReason::TicketForAnotherRedeemer, |ticket| {
        ticket.redeemer = name("key-generation");
    });
}

#[test]
fn a_ticket_for_another_start_fails_closed() {
    changed_fails(AppReason::TicketForAnotherStart, |ticket| {
        ticket.redeemer_start += 1;
    });
}

#[test]
fn a_ticket_of_another_issuer_fails_closed() {
    changed_fails(AppReason::TicketFromAnother, |ticket| {
        ticket.issuer = name("replayer");
    });
}

#[test]
fn a_ticket_of_a_later_start_than_the_edges_fails_closed() {
    changed_fails(AppReason::TicketFromAnother, |ticket| {
        ticket.issuer_start += 1;
    });
}

/// A ticket that was never used, on the edge of another application. It uses nothing up.
#[test]
fn a_fresh_ticket_shown_by_another_application_fails_closed() {
    let (system, mut redeem) = captured();
    let mut fields = redeem.ticket.into_inner();
    fields.number += 1;
    redeem.ticket = Checked::new(fields).expect("a number");
    let stranger = Start::new(&name("replayer"), 1);
    shows(&system, &stranger, &redeem, AppReason::TicketFromAnother);
    let answer = system.edges.show(&policy(), &to_bytes(&redeem), NOW);
    assert!(matches!(answer, Redeemed::Transaction(_)));
}

/// policy was started again and is at its first ticket; an old one of its first start is shown.
#[test]
fn a_ticket_of_an_earlier_start_fails_closed() {
    let (system, redeem) = captured();
    let mut fields = redeem.ticket.clone().into_inner();
    (fields.issuer_start, fields.number) = (2, 1);
    let later = Redeem {
        ticket: Checked::new(fields).expect("a number"),
        ..redeem.clone()
    };
    let again = Start::new(&name(POLICY), 2);
    let answer = system.edges.show(&again, &to_bytes(&later), NOW);
    assert!(matches!(answer, Redeemed::Transaction(_)));
    let mut fields = redeem.ticket.clone().into_inner();
    fields.number += 1;
    let unused = Redeem {
        ticket: Checked::new(fields).expect("a number"),
        ..redeem
    };
    shows(&system, &again, &unused, AppReason::TicketUsed);
}

#[test]
fn a_ticket_for_another_operation_fails_closed() {
    let (system, mut redeem) = captured();
    let mut fields = redeem.ticket.into_inner();
    fields.number += 1;
    redeem.ticket = Checked::new(fields).expect("a number");
    let Operation::SignTransaction(operation) = &mut redeem.operation else {
        panic!("a signature was asked for");
    };
    operation.payment.facts.nonce += 1;
    shows(
        &system,
        &policy(),
        &redeem,
        AppReason::TicketForAnotherOperation,
    );
    // It came from its issuer, so it is used up.
    shows(&system, &policy(), &redeem, AppReason::TicketUsed);
}

#[test]
fn a_ticket_that_came_too_late_fails_closed() {
    let (system, mut redeem) = captured();
    let mut fields = redeem.ticket.into_inner();
    fields.number += 1;
    redeem.ticket = Checked::new(fields).expect("a number");
    let late = UnixMillis(NOW.0 + TICKET_LIFE);
    match system.edges.show(&policy(), &to_bytes(&redeem), late) {
        Redeemed::Refused(refusal) => assert_eq!(refusal.reason, AppReason::TicketExpired),
        other => panic!("not refused: {other:?}"),
    }
}

/// policy says one thing of a transaction, its bytes say another.
#[test]
fn facts_that_are_not_those_of_the_bytes_fails_closed() {
    let (system, captured) = captured();
    let changes: [fn(&mut Redeem); 3] = [
        |redeem| payment(redeem).facts.nonce += 1,
        |redeem| payment(redeem).facts.to = None,
        |redeem| {
            let other = vec![0; 32];
            payment(redeem).signing_hash = quorate_protocol::atoms::Bytes::new(other).expect("32");
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut redeem = captured.clone();
        change(&mut redeem);
        let mut fields = redeem.ticket.into_inner();
        fields.number += 1 + at as u64;
        fields.operation = Digest::of(&redeem.operation);
        redeem.ticket = Checked::new(fields).expect("a number");
        shows(&system, &policy(), &redeem, AppReason::TransactionDiffers);
    }
}

fn payment(redeem: &mut Redeem) -> &mut quorate_protocol::ticket::Payment {
    match &mut redeem.operation {
        Operation::SignTransaction(operation) => &mut operation.payment,
        Operation::CreateWallet(_) => panic!("a signature was asked for"),
    }
}

#[test]
fn an_operation_of_the_other_application_fails_closed() {
    let (system, _) = captured();
    let messages = system.edges.messages();
    let mut wallet: Redeem = from_bytes(&messages[0]).expect("the wallet's");
    let mut signature: Redeem = from_bytes(&messages[1]).expect("the transaction's");
    for (redeem, redeemer) in [(&mut wallet, "signing"), (&mut signature, "key-generation")] {
        let mut fields = redeem.ticket.clone().into_inner();
        fields.redeemer = name(redeemer);
        fields.number = 10;
        redeem.ticket = Checked::new(fields).expect("a number");
    }
    shows(&system, &policy(), &wallet, AppReason::OperationUnsupported);
    let answer = system
        .edges
        .show_key_generation(&policy(), &to_bytes(&signature));
    let Redeemed::Refused(refusal) = answer else {
        panic!("not refused: {answer:?}");
    };
    assert_eq!(refusal.reason, AppReason::OperationUnsupported);
}

#[test]
fn a_redeem_message_cut_anywhere_fails_closed() {
    let (system, redeem) = captured();
    let bytes = to_bytes(&redeem);
    for length in 0..bytes.len() {
        match system.edges.show(&policy(), &bytes[..length], NOW) {
            Redeemed::Refused(refusal) => assert_eq!(refusal.reason, AppReason::Malformed),
            other => panic!("not refused: {other:?}"),
        }
    }
}

#[test]
fn tickets_are_numbered_from_one_and_ascend() {
    let issuer = Issuer::new(identity(POLICY, 3));
    let redeemer = Start::new(&name("signing"), 2);
    for number in 1..100 {
        let operation = Digest::from_bytes([7; 32]);
        let ticket = issuer.issue(&redeemer, operation, NOW).expect("a ticket");
        assert_eq!(ticket.number, number);
        assert_eq!((ticket.issuer_start, ticket.redeemer_start), (3, 2));
        assert_eq!(ticket.expiry.0, NOW.0 + TICKET_LIFE);
    }
}

/// Many at a time: each number once, and signing takes all that arrive in order.
#[test]
fn no_ticket_is_used_twice_under_load() {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (system, account) = (&system, &account);
            scope.spawn(move || {
                for at in 0..10 {
                    let mut transaction = transfer(ETHER);
                    transaction.nonce = worker * 100 + at;
                    completed(system.sign(account, transaction));
                }
            });
        }
    });
    let messages = system.edges.messages();
    let numbers: Vec<_> = messages
        .iter()
        .map(|message| from_bytes::<Redeem>(message).expect("one").ticket.number)
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert_eq!(numbers.len(), 41);
    for message in &messages[1..] {
        let answer = system.edges.show(&policy(), message, NOW);
        let Redeemed::Refused(refusal) = answer else {
            panic!("not refused: {answer:?}");
        };
        assert_eq!(refusal.reason, AppReason::TicketUsed);
    }
    let again = system.sign(&account, transfer(ETHER + 1));
    assert!(matches!(
        again,
        quorate_protocol::activity::PolicyResponse::Denied(_)
    ));
}
