//! What stands beside our figures in `./bench`: the same work by other people's code (`peer/…`),
//! and the work that no implementation can leave out (`floor/…`).
//!
//! A name is `peer/` or `floor/` and the name of our benchmark it belongs to, so that one filter
//! runs both sides. Compiled with our own release profile and with our features of p256 and p384.

use std::hint::black_box;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use criterion::{Criterion, criterion_group, criterion_main};
use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::{Hpke, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_libcrux::HpkeLibcrux;
use p256::elliptic_curve::{Group as _, PrimeField as _};
use p256::{FieldBytes, ProjectivePoint, Scalar};
use p384::ecdsa::signature::{Signer as _, Verifier as _};
use quorate_vectors::committed::cases;
use quorate_vectors::keys::{decryption, scalar, signing};
use vsss_rs::{FeldmanVerifierSet, IdentifierPrimeField, ReadableShareSet, ValueGroup, feldman};

type TheirScalar = IdentifierPrimeField<Scalar>;
type TheirShare = (TheirScalar, TheirScalar);
type TheirPoint = ValueGroup<ProjectivePoint>;

/// Feldman over P-256 by vsss-rs, beside `sharing/…`.
fn sharing(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let secret = FieldBytes::from(scalar("a shared secret"));
    let secret = IdentifierPrimeField(Scalar::from_repr(secret).expect("a scalar"));
    let generator = ValueGroup(ProjectivePoint::generator());
    let mut split = || {
        let ids = (1..=7_u64).map(|index| IdentifierPrimeField(Scalar::from(index)));
        feldman::split_secret_with_participant_ids_iter::<TheirShare, TheirPoint>(
            5,
            7,
            black_box(&secret),
            Some(generator),
            &mut rng,
            ids,
        )
        .expect("5 of 7")
    };
    let (shares, verifiers) = split();
    let five = &shares[..5];
    assert_eq!(five.combine().expect("five shares"), secret);

    c.bench_function("peer/sharing/split 5-of-7", |b| b.iter(&mut split));
    c.bench_function("peer/sharing/member key 7, threshold 5", |b| {
        b.iter(|| {
            FeldmanVerifierSet::<TheirShare, TheirPoint>::evaluate_verifier_at(
                &verifiers,
                black_box(&shares[6].0),
            )
            .expect("an index")
        });
    });
    c.bench_function("peer/sharing/check, threshold 5", |b| {
        b.iter(|| {
            verifiers
                .verify_share(black_box(&shares[6]))
                .expect("valid")
        });
    });
    c.bench_function("peer/sharing/combine 5 (checks included)", |b| {
        b.iter(|| {
            for share in black_box(five) {
                verifiers.verify_share(share).expect("valid");
            }
            five.combine().expect("five shares")
        });
    });
    c.bench_function("peer/sharing/reconstruct after the fifth share", |b| {
        b.iter(|| black_box(five).combine().expect("five shares"));
    });
}

/// HPKE over libcrux by hpke-rs, beside `sealing/…`: the same suite, a new encapsulation each time.
fn sealing(c: &mut Criterion) {
    let mut hpke = Hpke::<HpkeLibcrux>::new(
        Mode::Base,
        KemAlgorithm::DhKemP256,
        KdfAlgorithm::HkdfSha256,
        AeadAlgorithm::Aes256Gcm,
    );
    let key = decryption("alice hpke");
    let public = HpkePublicKey::new(key.public().to_uncompressed().to_vec());
    let secret = HpkePrivateKey::new(key.to_bytes().to_vec());
    let mut seal = |public: &HpkePublicKey| {
        hpke.seal(public, b"label", b"context", &[1; 32], None, None, None)
            .expect("sealed")
    };
    let (enc, sealed) = seal(&public);
    c.bench_function("peer/sealing/seal 32 bytes", |b| {
        b.iter(|| seal(black_box(&public)));
    });
    c.bench_function("peer/sealing/open 32 bytes", |b| {
        b.iter(|| {
            let sealed = black_box(&sealed);
            hpke.open(
                &enc, &secret, b"label", b"context", sealed, None, None, None,
            )
            .expect("opened")
        });
    });
}

/// An approval as COSE_Sign1 by coset over p256, beside `signed/…`; under both, one signature.
fn signed(c: &mut Criterion) {
    use p256::ecdsa::Signature;

    let case = &cases("approval")[0];
    let (payload, aad) = (&case.bytes, case.label.as_bytes());
    let key = signing("alice signing");
    let sign = || {
        let header = HeaderBuilder::new().algorithm(iana::Algorithm::ES256);
        CoseSign1Builder::new()
            .protected(header.build())
            .payload(black_box(payload).clone())
            .create_signature(aad, |data| {
                let signature: Signature = key.sign(data);
                signature.normalize_s().to_vec()
            })
            .build()
            .to_vec()
            .expect("bytes")
    };
    let bytes = sign();
    c.bench_function("peer/signed/sign approval", |b| b.iter(sign));
    c.bench_function("peer/signed/read and verify approval", |b| {
        b.iter(|| {
            let cose = CoseSign1::from_slice(black_box(&bytes)).expect("a COSE_Sign1");
            cose.verify_signature(aad, |signature, data| {
                key.verifying_key()
                    .verify(data, &Signature::from_slice(signature)?)
            })
            .expect("signed");
            cose
        });
    });

    let signature: Signature = key.sign(payload);
    c.bench_function(
        "floor/signed/read and verify approval (1 signature, p256)",
        |b| {
            b.iter(|| {
                key.verifying_key()
                    .verify(black_box(payload), &signature)
                    .expect("signed");
            });
        },
    );
}

/// One link of what an attestation document proves: who signed which bytes.
struct Link {
    public_key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// Under `attestation/verify`: the five signatures of a document, that of the document and those of
/// the four certificates below the root. Nothing is parsed but keys and signatures.
fn attestation(c: &mut Criterion) {
    use p384::ecdsa::{Signature, SigningKey, VerifyingKey};

    // What the signatures of genuine documents cover: four bodies of certificates, one payload.
    let lengths = [500, 500, 600, 500, 4_400];
    let links = (1_u8..).zip(lengths).map(|(number, length)| {
        let key = SigningKey::from_slice(&[number; 48]).expect("a scalar");
        let message = vec![number; length];
        let signature: Signature = key.sign(&message);
        Link {
            public_key: key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            message,
            signature: signature.to_vec(),
        }
    });
    let links: Vec<Link> = links.collect();
    assert_eq!(links.len(), 5);

    c.bench_function("floor/attestation/verify (5 signatures, p384)", |b| {
        b.iter(|| {
            for link in black_box(&links) {
                let key = VerifyingKey::from_sec1_bytes(&link.public_key).expect("a key");
                let signature = Signature::from_slice(&link.signature).expect("a pair in range");
                key.verify(&link.message, &signature).expect("signed");
            }
        });
    });
    c.bench_function("floor/attestation/verify (5 signatures, aws-lc)", |b| {
        b.iter(|| {
            for link in black_box(&links) {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &link.public_key)
                    .verify(&link.message, &link.signature)
                    .expect("signed");
            }
        });
    });

    let key = SigningKey::from_slice(&[9; 48]).expect("a scalar");
    let message = vec![9; 4_400];
    c.bench_function("floor/nsm/attest (1 signature, p384)", |b| {
        b.iter(|| {
            let signature: Signature = key.sign(black_box(&message));
            signature
        });
    });
}

criterion_group!(benches, sharing, sealing, signed, attestation);
criterion_main!(benches);
