//! Requests and organizations: altered, at the wrong time, malformed, of others.

use quorate_chain::ethereum::Unsigned;
use quorate_chain::to_hex;
use quorate_protocol::activity::{AppReason, PolicyRequest, PolicyResponse};
use quorate_protocol::atoms::{Bytes, Text, UnixMillis};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::organization::{Organization, Wei};
use quorate_request::Stamp;

use crate::system::{
    ETHER, HOME, NOW, Namespace, OWNER, System, founding, genesis, proof, refused, scalar, stamper,
    transfer,
};

/// Nothing was asked of another application, and a good request still succeeds.
#[track_caller]
fn nothing_happened(system: &System) {
    assert!(system.edges.messages().is_empty());
    system.wallet();
}

#[test]
fn a_message_of_another_kind_fails_closed() {
    let system = System::new();
    let prove = |kind: &str, payload| proof("policy", kind, payload);
    let good = to_bytes(&PolicyRequest::Submit(Box::new(
        system.submission(&system.wallet_body(NOW.0), None),
    )));
    for message in [&[][..], b"GET / HTTP/1.1", &good[..good.len() - 1]] {
        let answer = system.policy.answer(message, NOW, &prove);
        let answer = quorate_protocol::cbor::from_bytes(&answer).expect("an answer");
        assert_eq!(refused(answer), AppReason::Malformed);
    }
    nothing_happened(&system);
}

#[test]
fn a_founding_that_its_owner_did_not_sign_fails_closed() {
    let system = System::new();
    let founding = Signed::sign(founding(Wei::MAX, 1), &scalar(OWNER + 1));
    let answer = system.ask(&PolicyRequest::Found(Box::new(founding)), NOW);
    assert_eq!(refused(answer), AppReason::FoundingSignature);
    nothing_happened(&system);
}

#[test]
fn a_founding_for_another_namespace_fails_closed() {
    let system = System::new();
    let mut terms = founding(Wei::MAX, 1);
    terms.genesis = genesis(9);
    let refusal = system.found(terms).expect_err("another namespace");
    assert_eq!(refusal.reason, AppReason::FoundingForAnother);
    nothing_happened(&system);
}

#[test]
fn the_same_founding_gives_the_same_organization() {
    let system = System::new();
    let first = system.found(founding(Wei::MAX, 1)).expect("founded");
    assert_eq!(system.found(founding(Wei::MAX, 1)), Ok(first.clone()));
    let other = system.found(founding(Wei::MAX, 2)).expect("founded");
    assert_ne!(first.digest(), other.digest());
}

/// Whoever kept the organization raises its limit by one wei.
#[test]
fn an_organization_altered_by_one_wei_fails_closed() {
    let system = System::new();
    let mut altered = system.organization.unverified().clone();
    altered.founding.limit = Wei::from_u128(ETHER + 1);
    let mut submission = system.submission(&system.wallet_body(NOW.0), None);
    let signature = system.organization.signature();
    submission.organization = Signed::from_parts(altered, &signature).expect("a pair");
    let answer = system.submit(submission);
    assert_eq!(refused(answer), AppReason::OrganizationAltered);
    nothing_happened(&system);
}

#[test]
fn an_organization_that_its_owner_signed_fails_closed() {
    let system = System::new();
    let claim = system.organization.unverified().clone();
    let mut submission = system.submission(&system.wallet_body(NOW.0), None);
    submission.organization = Signed::sign(claim, &scalar(OWNER));
    let answer = system.submit(submission);
    assert_eq!(refused(answer), AppReason::OrganizationAltered);
    nothing_happened(&system);
}

/// The key of policy is derived from the genesis; here it is the same, so that the field itself is
/// tested.
#[test]
fn an_organization_of_another_genesis_fails_closed() {
    let elsewhere = Namespace { genesis: 8, ..HOME };
    let other = System::of(elsewhere, Wei::from_u128(ETHER));
    let system = System::new();
    let mut submission = system.submission(&system.wallet_body(NOW.0), None);
    submission.organization = other.organization;
    let answer = system.submit(submission);
    assert_eq!(refused(answer), AppReason::OrganizationAltered);
    nothing_happened(&system);
}

#[test]
fn a_request_for_another_organization_fails_closed() {
    let system = System::new();
    let mut submission = system.submission(&system.wallet_body(NOW.0), None);
    submission.organization = system.found(founding(Wei::MAX, 1)).expect("founded");
    let answer = system.submit(submission);
    assert_eq!(refused(answer), AppReason::OrganizationMismatch);
    nothing_happened(&system);
}

#[test]
fn a_request_altered_in_any_byte_fails_closed() {
    let system = System::new();
    let good = system.submission(&system.wallet_body(NOW.0), None);
    let body = good.body.as_slice();
    for at in 0..body.len() {
        let mut altered = body.to_vec();
        altered[at] ^= 1;
        let mut submission = good.clone();
        submission.body = Bytes::new(altered).expect("as long as before");
        let answer = system.submit(submission);
        assert_eq!(refused(answer), AppReason::StampSignature, "byte {at}");
    }
    nothing_happened(&system);
}

#[test]
fn a_stamp_altered_in_any_byte_fails_closed() {
    let system = System::new();
    let good = system.submission(&system.wallet_body(NOW.0), None);
    let stamp = good.stamp.as_str();
    for at in 0..stamp.len() {
        let mut altered = stamp.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        let mut submission = good.clone();
        submission.stamp = Text::new(&altered).expect("no control character");
        let reason = refused(system.submit(submission));
        let expected = [
            AppReason::StampMalformed,
            AppReason::StampScheme,
            AppReason::StampKey,
            AppReason::StampSignature,
        ];
        assert!(expected.contains(&reason), "byte {at}: {reason:?}");
    }
    nothing_happened(&system);
}

#[test]
fn a_stamp_by_another_key_fails_closed() {
    let system = System::new();
    let body = system.wallet_body(NOW.0);
    let mut submission = system.submission(&body, None);
    let stamp = Stamp::make(&stamper(OWNER + 1), body.as_bytes()).expect("a stamp");
    submission.stamp = Text::new(&stamp).expect("a stamp");
    assert_eq!(refused(system.submit(submission)), AppReason::StampKey);
    nothing_happened(&system);
}

/// base64url of the JSON of a stamp.
fn encoded(json: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in json.as_bytes().chunks(3) {
        let mut bits = [0; 3];
        bits[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        for place in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * place) & 63;
            text.push(char::from(DIGITS[digit as usize]));
        }
    }
    text
}

#[test]
fn a_stamp_of_another_scheme_fails_closed() {
    let system = System::new();
    for scheme in [
        "SIGNATURE_SCHEME_TK_API_SECP256K1",
        "SIGNATURE_SCHEME_TK_API_ED25519",
        "SIGNATURE_SCHEME_OF_NOBODY",
    ] {
        let mut submission = system.submission(&system.wallet_body(NOW.0), None);
        let json = format!(
            r#"{{"publicKey":"02{}","scheme":"{scheme}","signature":"3006020101020101"}}"#,
            "11".repeat(32)
        );
        submission.stamp = Text::new(&encoded(&json)).expect("a stamp");
        assert_eq!(refused(system.submit(submission)), AppReason::StampScheme);
    }
    nothing_happened(&system);
}

#[test]
fn a_request_outside_its_time_fails_closed() {
    let system = System::new();
    let (hour, ahead) = (60 * 60 * 1000, 5 * 60 * 1000);
    let refused_at = |timestamp| {
        let submission = system.submission(&system.wallet_body(timestamp), None);
        refused(system.submit(submission))
    };
    assert_eq!(refused_at(NOW.0 - hour), AppReason::RequestExpired);
    assert_eq!(refused_at(0), AppReason::RequestExpired);
    assert_eq!(
        refused_at(NOW.0 + ahead + 1),
        AppReason::RequestFromTheFuture
    );
    assert!(system.edges.messages().is_empty());
    system.wallet_at(NOW.0 - hour + 1);
    system.wallet_at(NOW.0 + ahead);
}

#[test]
fn json_that_is_not_the_contracts_fails_closed() {
    let system = System::new();
    let good = system.wallet_body(NOW.0);
    let twice = good.replacen('{', r#"{"type":"ACTIVITY_TYPE_CREATE_WALLET","#, 1);
    let unknown = good.replacen('{', r#"{"colour":"red","#, 1);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let many = format!("[{}0]", "0,".repeat(30_000));
    let huge = format!("{good}{}", " ".repeat(60_000));
    let trailing = format!("{good}{{}}");
    for (what, body) in [
        ("a duplicate key", &twice),
        ("an unknown field", &unknown),
        ("deep", &deep),
        ("many values", &many),
        ("trailing", &trailing),
    ] {
        let answer = system.submit(system.submission(body, None));
        assert_eq!(refused(answer), AppReason::RequestMalformed, "{what}");
    }
    // Only space: large, and a request all the same.
    let answer = system.submit(system.submission(&huge, None));
    assert!(matches!(answer, PolicyResponse::Completed(_)));
    // One byte more than a body may have is no message of the contract.
    assert!(Bytes::<1, { quorate_protocol::activity::MAX_BODY }>::new(vec![0; 65_537]).is_err());
}

#[test]
fn activities_that_are_not_served_fails_closed() {
    let system = System::new();
    let other = system
        .wallet_body(NOW.0)
        .replace("ACTIVITY_TYPE_CREATE_WALLET", "ACTIVITY_TYPE_EXPORT_WALLET");
    let curve = system
        .wallet_body(NOW.0)
        .replace("CURVE_SECP256K1", "CURVE_ED25519");
    for body in [other, curve] {
        let answer = system.submit(system.submission(&body, None));
        assert_eq!(refused(answer), AppReason::RequestUnsupported);
    }
    nothing_happened(&system);
}

/// RLP truncated, with a byte after the end, with a leading zero, of another type.
#[test]
fn transactions_that_are_not_canonical_fails_closed() {
    let system = System::new();
    let wallet = system.wallet();
    let account = &wallet.accounts[0];
    let before = system.edges.messages().len();
    let good = Unsigned::new(transfer(ETHER)).expect("a transaction");
    let good = good.as_bytes();
    let refused_for = |bytes: &[u8]| {
        let signer = account.account.address.to_string();
        let body = system.signature_body(&signer, &to_hex(bytes), NOW.0);
        refused(system.submit(system.submission(&body, Some(account))))
    };
    for length in 0..good.len() {
        assert_eq!(
            refused_for(&good[..length]),
            AppReason::TransactionMalformed,
            "{length} bytes"
        );
    }
    let trailing = [good, &[0]].concat();
    assert_eq!(refused_for(&trailing), AppReason::TransactionMalformed);
    // The chain id 1 as two bytes, and a list one byte longer: a leading zero.
    let mut zero = good.to_vec();
    assert_eq!(&zero[..3], &[2, 0xc0 + (good.len() - 2) as u8, 1]);
    zero.splice(1..3, [good[1] + 2, 0x82, 0, 1]);
    assert_eq!(refused_for(&zero), AppReason::TransactionMalformed);
    for kind in [0, 1, 3, 4, 0x7f, good[1]] {
        let mut other = good.to_vec();
        other[0] = kind;
        assert_eq!(refused_for(&other), AppReason::TransactionType, "{kind}");
    }
    assert_eq!(refused_for(&[2; 17_000]), AppReason::TransactionMalformed);
    assert_eq!(system.edges.messages().len(), before, "nobody was asked");
    assert!(matches!(
        system.sign(account, transfer(ETHER)),
        PolicyResponse::Completed(_)
    ));
}

/// The host answers with an old request when the clock has gone on.
#[test]
fn a_request_that_was_good_an_hour_ago_fails_closed() {
    let system = System::new();
    let submission = system.submission(&system.wallet_body(NOW.0), None);
    let request = PolicyRequest::Submit(Box::new(submission));
    let later = UnixMillis(NOW.0 + 60 * 60 * 1000);
    assert_eq!(
        refused(system.ask(&request, later)),
        AppReason::RequestExpired
    );
    assert!(system.edges.messages().is_empty());
    assert!(matches!(
        system.ask(&request, NOW),
        PolicyResponse::Completed(_)
    ));
}

#[test]
fn an_organization_stays_the_same_when_it_is_verified_again() {
    let system = System::new();
    let first = system.wallet_at(NOW.0);
    let again = Organization {
        founding: system.organization.unverified().founding.clone(),
    };
    assert_eq!(again, *system.organization.unverified());
    let second = system.wallet_at(NOW.0 + 1);
    assert_ne!(first.wallet, second.wallet);
}
