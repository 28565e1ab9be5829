//! A public key on one of the three curves AWS accepts, and checking a signature with it.

use p256::ecdsa::signature::Verifier as _;
use quorate_eif::signature::Algorithm;
use x509_cert::der::asn1::ObjectIdentifier;

/// Algorithm of every key on an elliptic curve (RFC 5480 §2.1.1).
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The curves, and how each signs.
const CURVES: [(ObjectIdentifier, Algorithm); 3] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Algorithm::Es256,
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Algorithm::Es384,
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        Algorithm::Es512,
    ),
];

/// How a key on this curve signs.
pub(crate) fn algorithm(curve: &ObjectIdentifier) -> Option<Algorithm> {
    let found = CURVES.iter().find(|(oid, _)| oid == curve);
    found.map(|(_, algorithm)| *algorithm)
}

/// A point that is on its curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// A point as SEC 1 encodes it.
    pub(crate) fn parse(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Es256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P256),
            Algorithm::Es384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P384),
            Algorithm::Es512 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P521),
        }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::P521(_) => Algorithm::Es512,
        }
    }

    /// Whether `signature`, r then s, is by this key over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verified = match self {
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
            Self::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
            Self::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
        };
        verified.map_err(|_| BadSignature)
    }
}

/// A signature that is not by this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSignature;
