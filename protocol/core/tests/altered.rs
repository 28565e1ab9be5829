//! A signed object in which any byte was changed is refused, exhaustively over the vectors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use quorate_protocol::keys::VerificationKey;
use quorate_vectors::committed::{Case, all_cases};
use quorate_vectors::kinds::Kind;

/// Gives the values to try, for a byte, its position, and the length of the object.
type Changes = fn(u8, usize, usize) -> Vec<u8>;

/// Objects up to this size are tried with every single bit of every byte turned.
const SMALL: usize = 160;

/// Other values of the byte at a position. Verifying takes the time, so larger objects get fewer.
fn some_changes(byte: u8, at: usize, length: usize) -> Vec<u8> {
    let mut values: Vec<u8> = if length <= SMALL {
        (0..8).map(|bit| byte ^ (1 << bit)).collect()
    } else {
        vec![byte ^ (1 << (at % 8)), !byte, 0x00]
    };
    values.retain(|value| *value != byte);
    values
}

fn all_changes(byte: u8, _: usize, _: usize) -> Vec<u8> {
    (1..=255).map(|mask| byte ^ mask).collect()
}

/// Tries every byte of every case, on all cores. Gives the number of changes tried.
fn refuse_all(changes: Changes) -> usize {
    let cases = all_cases();
    let signed: Vec<&Case> = cases.iter().filter(|case| case.signed.is_some()).collect();
    let (next, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(case) = signed.get(next.fetch_add(1, Ordering::Relaxed)) {
            tried.fetch_add(refuse(case, changes), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, |n| n.get());
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    tried.into_inner()
}

fn refuse(case: &Case, changes: Changes) -> usize {
    let signed = case.signed.as_ref().expect("a signed case");
    let verify = Kind::of(&case.label).signed.expect("a signed kind").verify;
    let key = VerificationKey::from_sec1(&signed.public_key).expect("a key");
    assert_eq!(verify(&signed.cose_sign1, &key), Ok(()), "unchanged");
    let mut bytes = signed.cose_sign1.clone();
    let mut tried = 0;
    for at in 0..bytes.len() {
        let original = bytes[at];
        for value in changes(original, at, bytes.len()) {
            bytes[at] = value;
            let verdict = verify(&bytes, &key);
            let name = &case.name;
            assert!(
                verdict.is_err(),
                "{} {name}: byte {at} = {value:02x}",
                case.label
            );
            tried += 1;
        }
        bytes[at] = original;
    }
    tried
}

#[test]
fn any_changed_byte_of_a_signed_object_fails_closed() {
    let tried = refuse_all(some_changes);
    assert!(tried > 10_000, "only {tried} changes");
}

#[test]
#[ignore = "takes minutes; `./test --full` runs it in a release build"]
fn every_value_of_every_byte_of_a_signed_object_fails_closed() {
    let tried = refuse_all(all_changes);
    assert!(tried > 700_000, "only {tried} changes");
}

#[test]
fn any_missing_or_added_byte_of_a_signed_object_fails_closed() {
    for case in all_cases() {
        let Some(signed) = &case.signed else { continue };
        let verify = Kind::of(&case.label).signed.expect("a signed kind").verify;
        let key = VerificationKey::from_sec1(&signed.public_key).expect("a key");
        for at in 0..signed.cose_sign1.len() {
            let mut fewer = signed.cose_sign1.clone();
            fewer.remove(at);
            assert!(
                verify(&fewer, &key).is_err(),
                "{} without byte {at}",
                case.label
            );
            assert!(
                verify(&signed.cose_sign1[..at], &key).is_err(),
                "cut at byte {at}"
            );
            let mut more = signed.cose_sign1.clone();
            more.insert(at, 0);
            assert!(
                verify(&more, &key).is_err(),
                "{} with a byte at {at}",
                case.label
            );
        }
    }
}

#[test]
fn a_signature_by_every_other_key_fails_closed() {
    let cases = all_cases();
    let signed: Vec<_> = cases
        .iter()
        .filter_map(|c| Some((c, c.signed.as_ref()?)))
        .collect();
    for (case, one) in &signed {
        for (_, other) in &signed {
            if one.public_key == other.public_key {
                continue;
            }
            let verify = Kind::of(&case.label).signed.expect("a signed kind").verify;
            let key = VerificationKey::from_sec1(&other.public_key).expect("a key");
            assert!(verify(&one.cose_sign1, &key).is_err(), "{}", case.name);
        }
    }
}
