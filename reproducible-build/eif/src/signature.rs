//! The signature section: who signed PCR0, in AWS's form.
//!
//! The section is CBOR: an array of one map {"signing_certificate", "signature"}. The certificate
//! is a PEM file, the signature a COSE_Sign1 (RFC 9052 §4.2, without tag) over the map
//! {"register_index": 0, "register_value": PCR0}. AWS's tools write byte strings inside these maps
//! as arrays of numbers, and so does this; inside COSE_Sign1 they are byte strings. PCR8 is made
//! from the certificate's DER alone: the hypervisor checks the signature, PCR8 names who made it.
//!
//! Guarantees: a section that was parsed is in exactly this form (it encodes to the bytes it was
//! read from), holds one certificate and nothing beside it, an algorithm AWS accepts, and a signature
//! of that algorithm's length.
//!
//! Does not: check the signature, or look into the certificate. `quorate-image-signing` does.

use std::fmt;

use minicbor::{Decoder, Encoder};
use thiserror::Error;

use crate::measure::PcrValue;

/// How PCR0 was signed (RFC 9053 §2.1): the curve decides, as in AWS's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
}

impl Algorithm {
    /// The number COSE has for it.
    const fn number(self) -> i32 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Es512 => -36,
        }
    }

    const fn from_number(number: i32) -> Option<Self> {
        match number {
            -7 => Some(Self::Es256),
            -35 => Some(Self::Es384),
            -36 => Some(Self::Es512),
            _ => None,
        }
    }

    /// Bytes of a signature: r and s, each as long as the curve's field.
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Es256 => 64,
            Self::Es384 => 96,
            Self::Es512 => 132,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Es256 => "ES256 (P-256)",
            Self::Es384 => "ES384 (P-384)",
            Self::Es512 => "ES512 (P-521)",
        })
    }
}

/// Why bytes are not a signature section.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// An algorithm AWS does not accept.
    #[error("algorithm {found} is none of ES256 (-7), ES384 (-35), ES512 (-36)")]
    Algorithm {
        /// COSE's number for it.
        found: i32,
    },
    /// The certificate is not one PEM certificate.
    #[error("the certificate is not exactly one PEM block CERTIFICATE")]
    CertificatePem,
    /// The PEM block does not hold one DER object.
    #[error("the certificate's block does not hold exactly one DER object")]
    CertificateDer,
    /// Not one signature.
    #[error("{found} signatures; the format has one, over PCR0")]
    Count {
        /// How many.
        found: u64,
    },
    /// Not the CBOR structure of such a section.
    #[error("not CBOR of a signature section, at byte {position}")]
    Form {
        /// Where reading stopped.
        position: usize,
    },
    /// The signature's length is not the algorithm's.
    #[error("a signature of {found} bytes; {algorithm} has {expected}")]
    Length {
        /// How it claims to be made.
        algorithm: Algorithm,
        /// The length that needs.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// The same content has another, shorter encoding, or bytes follow it.
    #[error("not in the one encoding AWS's tools write, or bytes follow it")]
    NotCanonical,
    /// Signed is another register.
    #[error("it signs PCR{found}; only PCR0 can be signed")]
    Register {
        /// Which.
        found: i32,
    },
    /// A register's value has another length.
    #[error("the signed register has {found} bytes, not 48")]
    RegisterLength {
        /// How many.
        found: usize,
    },
}

/// A signature over PCR0 and the certificate of who made it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureSection {
    pem: Vec<u8>,
    der: Vec<u8>,
    algorithm: Algorithm,
    pcr0: PcrValue,
    signature: Vec<u8>,
}

impl SignatureSection {
    /// Puts together a signature that was made over [`to_be_signed`].
    ///
    /// # Errors
    /// If the certificate is not one PEM certificate or the signature has a wrong length.
    pub fn new(
        certificate_pem: &[u8],
        algorithm: Algorithm,
        pcr0: PcrValue,
        signature: &[u8],
    ) -> Result<Self, SignatureError> {
        let expected = algorithm.signature_len();
        let found = signature.len();
        if found != expected {
            return Err(SignatureError::Length {
                algorithm,
                expected,
                found,
            });
        }
        Ok(Self {
            der: certificate_der(certificate_pem)?,
            pem: certificate_pem.to_vec(),
            algorithm,
            pcr0,
            signature: signature.to_vec(),
        })
    }

    /// Reads the content of a signature section.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut d = Decoder::new(bytes);
        let count = d.array().map_err(form(&d))?.unwrap_or(0);
        if count != 1 {
            return Err(SignatureError::Count { found: count });
        }
        let form_here = |d: &Decoder<'_>| SignatureError::Form {
            position: d.position(),
        };
        if d.map().map_err(form(&d))? != Some(2) {
            return Err(form_here(&d));
        }
        name(&mut d, "signing_certificate")?;
        let pem = numbers(&mut d, bytes.len())?;
        name(&mut d, "signature")?;
        let cose = numbers(&mut d, bytes.len())?;
        let section = Self::from_cose(&pem, &cose)?;
        if section.to_bytes() != bytes {
            return Err(SignatureError::NotCanonical);
        }
        Ok(section)
    }

    fn from_cose(pem: &[u8], cose: &[u8]) -> Result<Self, SignatureError> {
        let mut d = Decoder::new(cose);
        if d.array().map_err(form(&d))? != Some(4) {
            return Err(SignatureError::Form { position: 0 });
        }
        let protected = d.bytes().map_err(form(&d))?;
        let mut header = Decoder::new(protected);
        let label = header.map().map_err(form(&header))?;
        let label = (label, header.u8().map_err(form(&header))?);
        let number = header.i32().map_err(form(&header))?;
        if label != (Some(1), 1) || d.map().map_err(form(&d))? != Some(0) {
            return Err(SignatureError::Form {
                position: d.position(),
            });
        }
        let algorithm = Algorithm::from_number(number);
        let algorithm = algorithm.ok_or(SignatureError::Algorithm { found: number })?;
        let payload = d.bytes().map_err(form(&d))?;
        let signature = d.bytes().map_err(form(&d))?;
        Self::new(pem, algorithm, signed_pcr0(payload)?, signature)
    }

    /// The content of the section.
    pub fn to_bytes(&self) -> Vec<u8> {
        let protected = protected(self.algorithm);
        let payload = payload(&self.pcr0);
        let cose = written(|e| {
            e.array(4)?
                .bytes(&protected)?
                .map(0)?
                .bytes(&payload)?
                .bytes(&self.signature)?
                .ok()
        });
        written(|e| {
            e.array(1)?.map(2)?.str("signing_certificate")?;
            put_numbers(e, &self.pem)?;
            e.str("signature")?;
            put_numbers(e, &cose)
        })
    }

    /// The certificate as the file the signer gave.
    pub fn certificate_pem(&self) -> &[u8] {
        &self.pem
    }

    /// The certificate in DER: what PCR8 is the digest of.
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    /// How it claims to be signed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The value it claims PCR0 has.
    pub const fn pcr0(&self) -> &PcrValue {
        &self.pcr0
    }

    /// The signature: r then s, big-endian.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Debug for SignatureSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureSection")
            .field("algorithm", &self.algorithm)
            .field("pcr0", &self.pcr0)
            .field("pcr8", &PcrValue::of(&self.der))
            .finish_non_exhaustive()
    }
}

/// The bytes a signer has to sign: Sig_structure (RFC 9052 §4.4) without external data.
pub fn to_be_signed(algorithm: Algorithm, pcr0: &PcrValue) -> Vec<u8> {
    let protected = protected(algorithm);
    let payload = payload(pcr0);
    written(|e| {
        e.array(4)?
            .str("Signature1")?
            .bytes(&protected)?
            .bytes(&[])?
            .bytes(&payload)?
            .ok()
    })
}

/// The DER of the one certificate in a PEM file; text before it is allowed, as `openssl x509 -text`
/// writes it, and a second certificate is not: PCR8 would not say which was meant.
///
/// # Errors
/// [`SignatureError::CertificatePem`] or [`SignatureError::CertificateDer`].
pub fn certificate_der(pem: &[u8]) -> Result<Vec<u8>, SignatureError> {
    match pem_rfc7468::decode_vec(pem.trim_ascii_end()) {
        Ok(("CERTIFICATE", der)) if is_one_sequence(&der) => Ok(der),
        Ok(("CERTIFICATE", _)) => Err(SignatureError::CertificateDer),
        Ok(_) | Err(_) => Err(SignatureError::CertificatePem),
    }
}

/// Whether this is one DER SEQUENCE and nothing behind it.
fn is_one_sequence(der: &[u8]) -> bool {
    let (length, rest) = match der {
        [0x30, short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x30, 0x81, a @ 0x80..=0xff, rest @ ..] => (usize::from(*a), rest),
        [0x30, 0x82, a @ 1..=0xff, b, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*a, *b])), rest)
        }
        // A section has at most 32 KiB.
        _ => return false,
    };
    length == rest.len()
}

fn protected(algorithm: Algorithm) -> Vec<u8> {
    written(|e| e.map(1)?.u8(1)?.i32(algorithm.number())?.ok())
}

fn payload(pcr0: &PcrValue) -> Vec<u8> {
    written(|e| {
        e.map(2)?.str("register_index")?.u8(0)?;
        e.str("register_value")?;
        put_numbers(e, pcr0.as_bytes())
    })
}

/// The register a payload names.
fn signed_pcr0(payload: &[u8]) -> Result<PcrValue, SignatureError> {
    let mut d = Decoder::new(payload);
    if d.map().map_err(form(&d))? != Some(2) {
        return Err(SignatureError::Form { position: 0 });
    }
    name(&mut d, "register_index")?;
    let register = d.i32().map_err(form(&d))?;
    if register != 0 {
        return Err(SignatureError::Register { found: register });
    }
    name(&mut d, "register_value")?;
    let value = numbers(&mut d, payload.len())?;
    let found = value.len();
    let value: [u8; 48] = value
        .try_into()
        .map_err(|_| SignatureError::RegisterLength { found })?;
    if d.position() != payload.len() {
        return Err(SignatureError::NotCanonical);
    }
    Ok(PcrValue::from_bytes(value))
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// What `write` encodes.
fn written(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory does not fail.
    let _ = write(&mut encoder);
    encoder.into_writer()
}

/// Bytes as serde writes a `Vec<u8>`: an array of numbers.
fn put_numbers(e: &mut Encoder<Vec<u8>>, bytes: &[u8]) -> Written {
    e.array(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    for byte in bytes {
        e.u8(*byte)?;
    }
    Ok(())
}

/// An array of numbers up to 255, as bytes; never more than `max`, the length of what holds them.
fn numbers(d: &mut Decoder<'_>, max: usize) -> Result<Vec<u8>, SignatureError> {
    let position = d.position();
    let length = d.array().map_err(form(d))?;
    let length = length.and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= max);
    let length = length.ok_or(SignatureError::Form { position })?;
    let mut bytes = Vec::with_capacity(length);
    for _ in 0..length {
        bytes.push(d.u8().map_err(form(d))?);
    }
    Ok(bytes)
}

fn name(d: &mut Decoder<'_>, expected: &str) -> Result<(), SignatureError> {
    let position = d.position();
    match d.str() {
        Ok(found) if found == expected => Ok(()),
        _ => Err(SignatureError::Form { position }),
    }
}

fn form(d: &Decoder<'_>) -> impl FnOnce(minicbor::decode::Error) -> SignatureError + use<> {
    let position = d.position();
    move |_| SignatureError::Form { position }
}
