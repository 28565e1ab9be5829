//! What an instance decides about orders before it looks at signatures.

use p256::ecdsa::SigningKey;
use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::keys::{EncryptionKey, KeyPair, VerificationKey};
use quorate_protocol::members::{Member, MemberSetFields, Role};
use quorate_sealing::DecryptionKey;

use super::*;

fn reason<T>(result: Result<T, Denied>) -> Option<Reason> {
    match result {
        Err(Denied::Refused(refusal)) => Some(refusal.reason),
        _ => None,
    }
}

fn keys(byte: u8) -> (VerificationKey, EncryptionKey) {
    let signing = SigningKey::from_slice(&[byte; 32]).unwrap();
    let decryption = DecryptionKey::from_bytes(&[byte + 1; 32]).unwrap();
    (
        VerificationKey::of(&signing),
        EncryptionKey::from(decryption.public()),
    )
}

fn member(name: &str, index: u8) -> Member {
    let (signing_key, encryption_key) = keys(index * 2);
    Member {
        name: Name::new(name).unwrap(),
        index: ShareIndex::new(index).unwrap(),
        signing_key,
        encryption_key,
    }
}

fn order(nonce: u8, expires: u64) -> ReshareOrder {
    let (verification, encryption) = keys(100);
    ReshareOrder {
        genesis: Digest::from_bytes([1; 32]),
        manifest: Digest::from_bytes([2; 32]),
        live: KeyPair {
            encryption,
            verification,
        },
        epoch: Digest::from_bytes([3; 32]),
        share_set: Checked::new(MemberSetFields {
            threshold: 2,
            members: vec![member("alice", 1), member("bob", 2)],
        })
        .unwrap(),
        nonce: Bytes::new(vec![nonce; 32]).unwrap(),
        expires: UnixMillis(expires),
    }
}

fn with_nonce(nonce: u8, expires: u64) -> Orders {
    Orders {
        challenge: Some(ReshareChallenge {
            nonce: Bytes::new(vec![nonce; 32]).unwrap(),
            expires: UnixMillis(expires),
        }),
        done: None,
    }
}

#[test]
fn an_order_is_in_time_to_its_last_moment() {
    let orders = with_nonce(7, 2000);
    let order = order(7, 1000);
    assert!(orders.check_time(&order, UnixMillis(1000)).is_ok());
    assert!(
        with_nonce(7, 1000)
            .check_time(&order, UnixMillis(1))
            .is_ok()
    );
}

#[test]
fn an_expired_order_fails_closed() {
    let refused = with_nonce(7, 2000).check_time(&order(7, 1000), UnixMillis(1001));
    assert_eq!(reason(refused), Some(Reason::ReshareExpired));
}

#[test]
fn an_order_that_outlives_its_nonce_fails_closed() {
    let refused = with_nonce(7, 999).check_time(&order(7, 1000), UnixMillis(1));
    assert_eq!(reason(refused), Some(Reason::ReshareTooLong));
}

#[test]
fn another_nonce_or_none_fails_closed() {
    let refused = with_nonce(8, 2000).check_time(&order(7, 1000), UnixMillis(1));
    assert_eq!(reason(refused), Some(Reason::ReshareNonce));
    let refused = Orders::default().check_time(&order(7, 1000), UnixMillis(1));
    assert_eq!(reason(refused), Some(Reason::ReshareNonce));
}

#[test]
fn a_consent_that_is_refused_is_blamed_on_its_member() {
    let index = ShareIndex::new(3).unwrap();
    let role = Role::ShareSet;
    for (error, expected) in [
        (
            ReshareError::ConsentOfAnother { role, index },
            Reason::ReshareConsentOfAnother,
        ),
        (
            ReshareError::ConsentOfStranger { role, index },
            Reason::ReshareConsentOfStranger,
        ),
        (
            ReshareError::ConsentRepeated { role, index },
            Reason::ReshareConsentRepeated,
        ),
        (
            ReshareError::ConsentSignature { role, index },
            Reason::ReshareConsentSignature,
        ),
    ] {
        match refused(&error) {
            Denied::Refused(refusal) => {
                assert_eq!(refusal.reason, expected);
                assert_eq!(refusal.member.map(|member| member.0), Some(index));
            }
            Denied::Fatal(halt) => panic!("{halt}"),
        }
    }
}
