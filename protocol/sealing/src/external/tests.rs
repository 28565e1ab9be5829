//! The KEM alone, against the shared secret that RFC 9180 prints.

extern crate std;

use std::vec::Vec;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NonZeroScalar, ProjectivePoint, PublicKey};

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().collect();
    let byte = |pair: &[u8]| {
        let pair = core::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_kem_gives_the_shared_secret_of_the_rfc() {
    let text = include_str!("../../testdata/rfc9180-p256-sha256-aes128gcm-base.json");
    let vector: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        (vector["mode"].as_u64(), vector["kem_id"].as_u64()),
        (Some(0), Some(16))
    );
    let bytes = |name: &str| hex(vector[name].as_str().unwrap());
    let scalar = NonZeroScalar::try_from(bytes("skRm").as_slice()).unwrap();
    let own = PublicKey::from_affine((ProjectivePoint::GENERATOR * *scalar).to_affine());
    let recipient = EncryptionKey::from_sec1(&bytes("pkRm")).unwrap();
    assert_eq!(
        own.unwrap().to_sec1_point(false).as_bytes(),
        recipient.to_uncompressed()
    );

    let ephemeral = EncryptionKey::from_sec1(&bytes("enc")).unwrap();
    let point = PublicKey::from_sec1_bytes(&bytes("enc")).unwrap();
    let product = (point.to_projective() * *scalar)
        .to_affine()
        .to_sec1_point(false);
    let x: [u8; SHARED_LEN] = product.as_bytes()[1..33].try_into().unwrap();
    let shared = shared_secret(&x, &ephemeral, &recipient).unwrap();
    assert_eq!(shared.as_slice(), bytes("shared_secret"));
    // The recipient is bound: with another one the secret is another.
    let other = shared_secret(&x, &ephemeral, &ephemeral).unwrap();
    assert_ne!(other.as_slice(), bytes("shared_secret"));
}
