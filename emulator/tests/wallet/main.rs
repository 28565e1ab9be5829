//! policy, key-generation, signing and replayer as real processes in a real emulated enclave: a
//! wallet is made and pays, what must be refused is refused through the sockets, and a signing
//! application that is killed under load uses no ticket twice.
//!
//! What each application refuses for itself is tested without processes, in
//! `enclave-apps/policy/tests/applications/`.

#[path = "../common/mod.rs"]
mod common;

mod client;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Client, LIMIT, System, completed, denied, refused, signed};
use quorate_protocol::activity::{AppReason, Outcome, PolicyResponse};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::organization::Wei;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{Policy, Report, Time, verify};

fn report(system: &System, client: &Client) -> Report {
    let mut anchors = TrustAnchors::empty();
    let root = common::root_der(&system.world.hypervisor);
    let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
    anchors.insert(anchor).unwrap();
    let policy = Policy::pinned(system.instance.record.digest());
    let evidence = to_bytes(&system.evidence(client));
    verify(&evidence, &policy, &anchors, Time::Archived)
}

#[test]
fn a_wallet_pays_and_a_stranger_sees_who_decided() {
    let system = System::start();
    let mut client = Client::found(&system);
    let wallet = client.wallet();
    let account = &wallet.accounts[0];
    let first = signed(client.pay(account, LIMIT, 0));
    // The same request again: the same answer, and nothing new in the evidence.
    let again = signed(client.pay(account, LIMIT, 0));
    assert_eq!(first.transaction, again.transaction);
    let over = denied(client.pay(account, LIMIT + 1, 1));
    assert_eq!(over.refusal.reason, AppReason::OverLimit);
    let report = report(&system, &client);
    assert!(
        report.is_accepted(),
        "{:#?}",
        report.failed().collect::<Vec<_>>()
    );
    let activities = &report.facts.activities;
    assert_eq!(activities.len(), 3);
    assert!(activities[0].wallet.is_some());
    let statement = activities[1].signature.as_ref().unwrap();
    assert_eq!(statement.payment.account, account.account);
    assert_eq!(statement.transaction, first.hash);
    assert!(activities[2].is_denied());
}

#[test]
fn a_captured_ticket_fails_closed() {
    let system = System::start();
    let mut client = Client::found(&system);
    let account = client.wallet().accounts.remove(0);
    let done = completed(client.pay(&account, LIMIT, 0));
    let shown = system.replay(&client.captured(&done, &account));
    assert_eq!(shown, Some(AppReason::TicketUsed));
    // One that was never used, but is not of whoever shows it.
    let mut fresh = client.captured(&done, &account);
    let mut fields = fresh.ticket.into_inner();
    fields.number += 1;
    fresh.ticket = quorate_protocol::cbor::Checked::new(fields).unwrap();
    assert_eq!(system.replay(&fresh), Some(AppReason::TicketFromAnother));
    signed(client.pay(&account, LIMIT, 1));
    // After a restart of signing every earlier ticket is for another start.
    system.restart("signing");
    let shown = system.replay(&client.captured(&done, &account));
    assert_eq!(shown, Some(AppReason::TicketForAnotherStart));
    signed(client.pay(&account, LIMIT, 2));
}

#[test]
fn bad_submissions_through_the_socket_fails_closed() {
    let system = System::start();
    let mut client = Client::found(&system);
    let mut other = Client::found(&system);
    let account = client.wallet().accounts.remove(0);
    let theirs = other.wallet().accounts.remove(0);

    let mut altered = client.payment(&account, LIMIT, 0);
    let mut body = altered.body.as_slice().to_vec();
    body[100] ^= 1;
    altered.body = Bytes::new(body).unwrap();
    assert_eq!(refused(client.submit(&altered)), AppReason::StampSignature);

    let mut raised = client.payment(&account, LIMIT, 0);
    let mut claim = raised.organization.unverified().clone();
    claim.founding.limit = Wei::MAX;
    let signature = raised.organization.signature();
    raised.organization = Signed::from_parts(claim, &signature).unwrap();
    assert_eq!(
        refused(client.submit(&raised)),
        AppReason::OrganizationAltered
    );

    let stolen = other.payment_from(&theirs, &account, LIMIT, 0);
    assert_eq!(refused(other.submit(&stolen)), AppReason::AccountUnreadable);
    let mut swapped = account.clone();
    swapped.sealed = theirs.sealed.clone();
    assert_eq!(
        refused(client.pay(&swapped, LIMIT, 0)),
        AppReason::AccountUnreadable
    );
    signed(client.pay(&account, LIMIT, 0));
    signed(other.pay(&theirs, LIMIT, 0));
}

/// A wallet of one namespace in another, where everything else is right.
#[test]
fn a_sealed_key_of_another_namespace_fails_closed() {
    let (here, there) = (System::start(), System::start());
    let mut elsewhere = Client::found(&there);
    let foreign = elsewhere.wallet().accounts.remove(0);
    let client = Client::found(&here);
    assert_eq!(
        refused(client.pay(&foreign, LIMIT, 0)),
        AppReason::AccountUnreadable
    );
    let mut carried = client.payment(&foreign, LIMIT, 0);
    carried.organization = elsewhere.organization.clone();
    assert_eq!(
        refused(client.submit(&carried)),
        AppReason::OrganizationAltered
    );
    signed(elsewhere.pay(&foreign, LIMIT, 0));
}

/// Requests keep coming while signing is killed again and again: each is answered in the end, no
/// ticket is used twice, and nothing that was promised is lost.
#[test]
fn signing_killed_under_load_uses_no_ticket_twice() {
    const WORKERS: u64 = 3;
    const REQUESTS: u64 = 40;
    const KILLS: usize = 4;
    let system = System::start();
    let mut client = Client::found(&system);
    let account = client.wallet().accounts.remove(0);
    let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let tickets = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (client, account, done) = (&client, &account, &done);
                scope.spawn(move || {
                    (0..REQUESTS)
                        .map(|at| {
                            let request = client.payment(account, LIMIT, worker * 1000 + at);
                            let completed = client.until_done(&request);
                            done.fetch_add(1, Ordering::Relaxed);
                            completed
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let (system, over, done) = (&system, &over, &done);
        let killer = scope.spawn(move || {
            let mut kills = 0;
            while kills < KILLS && !over.load(Ordering::Relaxed) {
                let before = done.load(Ordering::Relaxed);
                system.restart("signing");
                kills += 1;
                // Some requests are answered between two kills.
                let since = Instant::now();
                while done.load(Ordering::Relaxed) < before + 5
                    && !over.load(Ordering::Relaxed)
                    && since.elapsed() < Duration::from_secs(10)
                {
                    std::thread::yield_now();
                }
            }
            kills
        });
        let tickets: Vec<_> = workers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(killer.join().unwrap() > 0);
        tickets
    });
    assert_eq!(tickets.len() as u64, WORKERS * REQUESTS);
    let numbers: BTreeSet<_> = tickets
        .iter()
        .map(|completed| (completed.ticket.issuer_start, completed.ticket.number))
        .collect();
    assert_eq!(numbers.len(), tickets.len(), "a ticket twice");
    let starts: BTreeSet<_> = tickets.iter().map(|c| c.ticket.redeemer_start).collect();
    assert!(starts.len() > 1, "nothing was signed after a kill");
    for completed in &tickets {
        let Outcome::Transaction(signed) = &completed.result else {
            panic!("a transaction was asked for");
        };
        assert_eq!(
            signed.proof.unverified().start,
            completed.ticket.redeemer_start
        );
        let shown = system.replay(&client.captured(completed, &account));
        let refused = [
            Some(AppReason::TicketUsed),
            Some(AppReason::TicketForAnotherStart),
        ];
        assert!(refused.contains(&shown), "{shown:?}");
    }
    // The others went on: policy and key-generation are in their first start.
    let status = system.instance.enclave.status();
    for application in &status.applications {
        let expected = application.name.as_str() != "signing";
        assert_eq!(application.starts == 1, expected, "{application:?}");
    }
}

/// policy is killed: its tickets of before are below, and wallets made before still pay.
#[test]
fn policy_killed_goes_on_with_what_callers_keep() {
    let system = System::start();
    let mut client = Client::found(&system);
    let account = client.wallet().accounts.remove(0);
    let before = completed(client.pay(&account, LIMIT, 0));
    system.restart("policy");
    let after = completed(client.pay(&account, LIMIT, 1));
    assert_eq!(
        (before.ticket.issuer_start, after.ticket.issuer_start),
        (1, 2)
    );
    assert_eq!(after.ticket.number, 1);
    let shown = system.replay(&client.captured(&before, &account));
    assert_eq!(shown, Some(AppReason::TicketUsed));
    let again = client.pay(&account, LIMIT, 0);
    let Outcome::Transaction(again) = completed(again).result else {
        panic!("a transaction was asked for");
    };
    let Outcome::Transaction(first) = before.result else {
        panic!("a transaction was asked for");
    };
    assert_eq!(first.transaction, again.transaction);
}

#[test]
fn what_is_no_message_of_the_contract_closes_the_connection_and_the_others_go_on() {
    use std::io::{Read as _, Write as _};
    let system = System::start();
    let mut client = Client::found(&system);
    for sent in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[1, 0xff, 0xff, 0xff, 0xff],
        &[1, 0, 0, 0, 2, 0x82, 9],
    ] {
        let mut stream = system.connect(5100);
        stream.write_all(sent).unwrap();
        let mut rest = Vec::new();
        // The end, or a reset: no answer.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:02x?}");
    }
    let wallet = client.wallet();
    assert_eq!(wallet.accounts.len(), 1);
    assert!(matches!(
        client.pay(&wallet.accounts[0], LIMIT, 0),
        PolicyResponse::Completed(_)
    ));
}
