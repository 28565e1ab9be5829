//! A private key from a file.
//!
//! Guarantees: one key on P-256, P-384 or P-521, or a reason; the key, and every copy of it made
//! while reading, is erased when dropped; signatures are deterministic (RFC 6979).
//!
//! Reads what `openssl` writes: PKCS#8 (`PRIVATE KEY`) and SEC 1 (`EC PRIVATE KEY`, with or without
//! the `EC PARAMETERS` block that `ecparam -genkey` puts before it). Does not: read encrypted files.

use p256::ecdsa::signature::Signer as _;
use pkcs8::PrivateKeyInfoRef;
use quorate_eif::signature::Algorithm;
use sec1::EcPrivateKey;
use thiserror::Error;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::public::{EC_PUBLIC_KEY, PublicKey, algorithm};

const PARAMETERS: &str = "-----BEGIN EC PARAMETERS-----";
const SEC1: &str = "-----BEGIN EC PRIVATE KEY-----";

/// Why a file is not a key to sign with.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// A key protected by a passphrase.
    #[error("the key is encrypted")]
    Encrypted,
    /// Not a PEM file with one private key.
    #[error("the file is not one PEM block PRIVATE KEY or EC PRIVATE KEY")]
    Pem,
    /// The block is not a key in DER.
    #[error("the block does not hold a private key")]
    Malformed,
    /// A key of another kind.
    #[error("the key is not on P-256, P-384 or P-521")]
    Curve,
}

impl KeyError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Encrypted => {
                "decrypt it where it is used (openssl pkcs8 -in KEY -out PLAIN), or keep it in a token"
            }
            Self::Pem | Self::Malformed => "name the key's PEM file, as openssl writes it",
            Self::Curve => "make a key on P-384: openssl ecparam -name secp384r1 -genkey",
        }
    }
}

/// A private key in memory.
pub struct FileKey(Inner);

enum Inner {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl FileKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// If it is not one private key, not encrypted, on one of the three curves.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let pem = without_parameters(pem).trim_ascii_end();
        let (label, der) = pem_rfc7468::decode_vec(pem).map_err(|_| KeyError::Pem)?;
        let der = Zeroizing::new(der);
        match label {
            "PRIVATE KEY" => {
                let info = PrivateKeyInfoRef::from_der(&der).map_err(|_| KeyError::Malformed)?;
                if info.algorithm.oid != EC_PUBLIC_KEY {
                    return Err(KeyError::Curve);
                }
                let curve = info.algorithm.parameters_oid();
                let curve = curve.map_err(|_| KeyError::Curve)?;
                let inner = EcPrivateKey::from_der(info.private_key.as_bytes());
                Self::from_sec1(&inner.map_err(|_| KeyError::Malformed)?, Some(curve))
            }
            "EC PRIVATE KEY" => {
                let inner = EcPrivateKey::from_der(&der).map_err(|_| KeyError::Malformed)?;
                Self::from_sec1(&inner, None)
            }
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            _ => Err(KeyError::Pem),
        }
    }

    fn from_sec1(
        key: &EcPrivateKey<'_>,
        curve: Option<ObjectIdentifier>,
    ) -> Result<Self, KeyError> {
        let inner = key
            .parameters
            .and_then(|parameters| parameters.named_curve());
        let curve = match (curve, inner) {
            (Some(one), Some(other)) if one != other => return Err(KeyError::Malformed),
            (one, other) => one.or(other).ok_or(KeyError::Curve)?,
        };
        let scalar = key.private_key;
        let malformed = |_| KeyError::Malformed;
        let inner = match algorithm(&curve).ok_or(KeyError::Curve)? {
            Algorithm::Es256 => {
                Inner::P256(p256::ecdsa::SigningKey::from_slice(scalar).map_err(malformed)?)
            }
            Algorithm::Es384 => {
                Inner::P384(p384::ecdsa::SigningKey::from_slice(scalar).map_err(malformed)?)
            }
            Algorithm::Es512 => {
                Inner::P521(p521::ecdsa::SigningKey::from_slice(scalar).map_err(malformed)?)
            }
        };
        Ok(Self(inner))
    }

    pub(crate) fn public(&self) -> PublicKey {
        match &self.0 {
            Inner::P256(key) => PublicKey::P256(*key.verifying_key()),
            Inner::P384(key) => PublicKey::P384(*key.verifying_key()),
            Inner::P521(key) => PublicKey::P521(*key.verifying_key()),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
            Inner::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
            Inner::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
        }
    }
}

/// The file from its key on, where `openssl ecparam -genkey` put the curve in a block of its own.
fn without_parameters(pem: &[u8]) -> &[u8] {
    if !pem.starts_with(PARAMETERS.as_bytes()) {
        return pem;
    }
    let found = pem
        .windows(SEC1.len())
        .position(|part| part == SEC1.as_bytes());
    found.and_then(|at| pem.get(at..)).unwrap_or(pem)
}
