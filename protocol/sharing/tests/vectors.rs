//! Frozen vectors, made by an independent script (testdata/README.md).

mod common;

use std::collections::VecDeque;

use chacha20::rand_core::{Infallible, TryCryptoRng, TryRng};
use common::{hex, indices};
use quorate_sharing::{Commitments, Secret, Share, ShareIndex, combine, split};
use serde_json::Value;

#[test]
fn split_gives_the_commitments_and_shares_of_the_vectors() {
    for vector in vectors() {
        let mut rng = Script(vector.coefficients.iter().copied().collect());
        let secret = Secret::from_bytes(&vector.secret).expect("a scalar");
        let (commitments, shares) =
            split(&secret, vector.threshold, &vector.indices, &mut rng).expect("valid parameters");
        assert!(
            rng.0.is_empty(),
            "{}: one block for each coefficient",
            vector.name
        );
        assert_eq!(
            commitments.to_compressed(),
            vector.commitments,
            "{}",
            vector.name
        );
        let values: Vec<_> = shares.iter().map(|share| *share.to_bytes()).collect();
        assert_eq!(values, vector.shares, "{}", vector.name);
        let order: Vec<_> = shares.iter().map(Share::index).collect();
        assert_eq!(order, vector.indices, "{}", vector.name);
    }
}

#[test]
fn shares_of_the_vectors_are_valid_and_give_the_secret() {
    for vector in vectors() {
        let commitments = Commitments::from_compressed(&vector.commitments).expect("commitments");
        assert_eq!(commitments.threshold(), vector.threshold);
        let shares: Vec<Share> = vector
            .indices
            .iter()
            .zip(&vector.shares)
            .map(|(index, bytes)| Share::from_bytes(*index, bytes).expect("a scalar"))
            .collect();
        for (share, expected) in shares.iter().zip(&vector.member_keys) {
            assert_eq!(commitments.check(share), Ok(()), "{}", vector.name);
            let key = commitments.member_key(share.index()).expect("a key");
            assert_eq!(
                hex(key.to_sec1_point(true).as_bytes()),
                *expected,
                "{}",
                vector.name
            );
        }
        let secret = combine(&commitments, &shares).expect("all shares");
        assert_eq!(*secret.to_bytes(), vector.secret, "{}", vector.name);
        assert_eq!(secret.public_key(), commitments.public_key());
    }
}

struct Vector {
    name: String,
    threshold: u8,
    indices: Vec<ShareIndex>,
    secret: [u8; 32],
    coefficients: Vec<[u8; 32]>,
    commitments: Vec<[u8; 33]>,
    shares: Vec<[u8; 32]>,
    member_keys: Vec<String>,
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("../testdata/feldman-p256.json"))
        .expect("the vectors are JSON");
    let vectors: Vec<Vector> = file["vectors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(read)
        .collect();
    assert_eq!(vectors.len(), 8);
    vectors
}

fn read(vector: &Value) -> Vector {
    let small = |value: &Value| u8::try_from(value.as_u64().expect("a number")).expect("small");
    let numbers: Vec<u8> = vector["indices"]
        .as_array()
        .expect("a list")
        .iter()
        .map(small)
        .collect();
    let texts = |name: &str| -> Vec<String> {
        let list = vector[name].as_array().expect("a list");
        list.iter()
            .map(|text| text.as_str().expect("text").to_owned())
            .collect()
    };
    Vector {
        name: vector["name"].as_str().expect("text").to_owned(),
        threshold: small(&vector["threshold"]),
        indices: indices(&numbers),
        secret: bytes(vector["secret"].as_str().expect("text")),
        coefficients: texts("coefficients")
            .iter()
            .map(|text| bytes(text))
            .collect(),
        commitments: texts("commitments")
            .iter()
            .map(|text| bytes(text))
            .collect(),
        shares: texts("shares").iter().map(|text| bytes(text)).collect(),
        member_keys: texts("member_keys"),
    }
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    common::unhex(text).try_into().expect("the right length")
}

/// A generator that gives prepared blocks of 32 bytes, each once.
struct Script(VecDeque<[u8; 32]>);

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        destination.copy_from_slice(&self.0.pop_front().expect("a block"));
        Ok(())
    }
}

impl TryCryptoRng for Script {}

/// Blocks that must be drawn again: not below q, zero, and a coefficient that makes a share zero.
#[test]
fn unusable_draws_fail_closed_and_are_drawn_again() {
    // f(x) = 2 + a·x with a = −2/1 is zero at 1, with a = −1 at 2.
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let minus_two = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f";
    let minus_one = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    let zero = "00".repeat(32);
    let three = format!("{}03", "00".repeat(31));
    let two = format!("{}02", "00".repeat(31));
    let draws = [
        order,
        &"ff".repeat(32),
        &zero,
        minus_two,
        &zero,
        minus_one,
        &three,
    ];
    let mut rng = Script(draws.iter().map(|text| bytes(text)).collect());
    let secret = Secret::from_bytes(&bytes(&two)).expect("a scalar");
    let (commitments, shares) = split(&secret, 2, &indices(&[1, 2]), &mut rng).expect("2 of 2");
    assert!(rng.0.is_empty());
    let values: Vec<_> = shares.iter().map(|share| share.to_bytes()[31]).collect();
    assert_eq!(values, [5, 8]);
    assert_eq!(commitments.threshold(), 2);

    let mut rng = Script(
        [order, &zero, &three]
            .iter()
            .map(|text| bytes(text))
            .collect(),
    );
    assert_eq!(Secret::random(&mut rng).to_bytes()[31], 3);
}
