//! Doing nothing twice: the same request again, and what happens when memory is full.

use std::sync::Arc;

use proptest::prelude::*;
use quorate_policy::Unanswered;
use quorate_policy::memory::{Key, Known, Memory};
use quorate_protocol::activity::{AppReason, AppRefusal, PolicyResponse};
use quorate_protocol::atoms::Sha256;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::digest::Digest;
use quorate_protocol::organization::Wei;
use quorate_protocol::ticket::Redeemed;
use quorate_request::window::MAX_AGE_MS;

use crate::system::{ETHER, HOME, NOW, System, completed, denied, refused, transfer};

#[test]
fn the_same_request_gets_the_same_answer_and_acts_once() {
    let system = System::new();
    let body = system.wallet_body(NOW.0);
    let first = completed(system.submit(system.submission(&body, None)));
    for _ in 0..3 {
        let again = completed(system.submit(system.submission(&body, None)));
        assert_eq!(again, first);
    }
    assert_eq!(system.edges.messages().len(), 1);
    let account = {
        let quorate_protocol::activity::Outcome::Wallet(made) = first.result else {
            panic!("a wallet was asked for");
        };
        made.accounts[0].clone()
    };
    let over = denied(system.sign(&account, transfer(ETHER + 1)));
    assert_eq!(denied(system.sign(&account, transfer(ETHER + 1))), over);
    let signed = completed(system.sign(&account, transfer(ETHER)));
    assert_eq!(completed(system.sign(&account, transfer(ETHER))), signed);
    assert_eq!(system.edges.messages().len(), 2);
}

/// signing is gone when it is asked; the same request succeeds afterwards, with a new ticket.
#[test]
fn a_request_whose_performer_is_gone_can_be_sent_again() {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    system.edges.next(Err(Unanswered));
    let answer = system.sign(&account, transfer(ETHER));
    assert_eq!(refused(answer), AppReason::Unavailable);
    let lost = system.edges.captured().ticket;
    system.edges.restart_signing(2);
    let done = completed(system.sign(&account, transfer(ETHER)));
    assert!(done.ticket.number > lost.number);
    assert_eq!((lost.redeemer_start, done.ticket.redeemer_start), (1, 2));
}

#[test]
fn an_answer_of_another_application_fails_closed() {
    let system = System::new();
    let made = system.wallet();
    let wallet = Redeemed::Wallet(Box::new(made.clone()));
    for answer in [to_bytes(&wallet), Vec::new(), vec![0xff; 100]] {
        system.edges.next(Ok(answer));
        let answer = system.sign(&made.accounts[0], transfer(ETHER));
        assert_eq!(refused(answer), AppReason::Internal);
    }
    let refusal = AppRefusal::from(AppReason::TicketExpired);
    system
        .edges
        .next(Ok(to_bytes(&Redeemed::Refused(refusal.clone()))));
    let answer = system.sign(&made.accounts[0], transfer(ETHER));
    assert_eq!(answer, PolicyResponse::Refused(refusal));
    completed(system.sign(&made.accounts[0], transfer(ETHER)));
}

/// What was forgotten to make room is not acted on again.
#[test]
fn a_request_that_was_forgotten_fails_closed() {
    let system = System::with(HOME, Wei::from_u128(ETHER), 3);
    let bodies: Vec<_> = (0..6).map(|at| system.wallet_body(NOW.0 + at)).collect();
    for body in &bodies {
        completed(system.submit(system.submission(body, None)));
    }
    for body in &bodies[..3] {
        let answer = system.submit(system.submission(body, None));
        assert_eq!(refused(answer), AppReason::RequestExpired);
    }
    for body in &bodies[3..] {
        completed(system.submit(system.submission(body, None)));
    }
    assert_eq!(system.edges.messages().len(), 6);
    let earlier = system.wallet_body(NOW.0 + 2);
    let answer = system.submit(system.submission(&earlier, None));
    assert_eq!(refused(answer), AppReason::RequestExpired);
}

fn key(at: u8) -> Key {
    (Digest::from_bytes([0; 32]), Sha256([at; 32]))
}

#[test]
fn a_request_under_way_is_not_begun_again() {
    let memory = Memory::new(2);
    let Ok(Known::New(slot)) = memory.begin(key(1), 10, 10) else {
        panic!("it is new");
    };
    assert_eq!(memory.begin(key(1), 10, 10).err(), Some(AppReason::Busy));
    drop(slot);
    let Ok(Known::New(slot)) = memory.begin(key(1), 10, 10) else {
        panic!("it was given up");
    };
    slot.keep(Arc::from(&b"done"[..]));
    let Ok(Known::Answered(answer)) = memory.begin(key(1), 10, 10) else {
        panic!("it was answered");
    };
    assert_eq!(&*answer, b"done");
}

proptest! {
    /// Whatever comes in whatever order, no request is new twice, as long as it is young enough.
    #[test]
    fn no_request_is_begun_twice(
        most in 1..6_usize,
        steps in prop::collection::vec((0..12_u8, 0..3_u64, any::<bool>()), 1..80),
    ) {
        let memory = Memory::new(most);
        let (mut now, mut done) = (MAX_AGE_MS, std::collections::BTreeSet::new());
        for (which, passed, keep) in steps {
            now += passed * (MAX_AGE_MS / 8);
            // A request has one timestamp.
            let timestamp = MAX_AGE_MS + u64::from(which) * (MAX_AGE_MS / 8);
            if now.saturating_sub(timestamp) >= MAX_AGE_MS {
                continue;
            }
            match memory.begin(key(which), timestamp, now) {
                Ok(Known::New(slot)) => {
                    prop_assert!(!done.contains(&which), "{which} twice");
                    if keep {
                        slot.keep(Arc::from(&[which][..]));
                        done.insert(which);
                    }
                }
                Ok(Known::Answered(answer)) => {
                    prop_assert!(done.contains(&which));
                    prop_assert_eq!(&*answer, &[which][..]);
                }
                Err(reason) => {
                    let forgotten = [AppReason::RequestExpired, AppReason::Busy];
                    prop_assert!(forgotten.contains(&reason));
                }
            }
        }
    }
}
