//! The COSE_Sign1 envelope (RFC 9052 section 4.2) in the one form that the security module sends.
//!
//! An array of four, untagged or with tag 18: the protected header, which is exactly the bytes of
//! `{1: -35}` (ES384); an empty unprotected header; the payload; a raw 96-byte signature. Since the
//! protected header is compared as bytes, no `crit` parameter, unknown algorithm or second copy of
//! one can be in it: they are all refused alike. Nothing is read from the unprotected header.
//!
//! The signature is checked over a structure rebuilt from the received payload bytes, never over a
//! re-encoding of what was parsed from them.

use super::cbor::Reader;
use super::error::AttestationError;
use super::signature::Signature;

/// Largest payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 16_384;

/// Length of a raw ES384 signature, in bytes.
pub const SIGNATURE_BYTES: usize = 96;

/// Largest document, in bytes: the largest payload and what surrounds it.
///
/// That is tag 1, array head 1, protected header 5, unprotected header 1, payload head 3,
/// signature head 2, signature 96.
pub const MAX_DOCUMENT_BYTES: usize = MAX_PAYLOAD_BYTES + 13 + SIGNATURE_BYTES;

/// `{1: -35}`: the algorithm is ES384.
const PROTECTED: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];

const TAG_COSE_SIGN1: u64 = 18;

/// The parts of the envelope, borrowed from the received bytes.
pub(super) struct Envelope<'a> {
    payload: &'a [u8],
    payload_length: u16,
    signature: Signature,
}

impl<'a> Envelope<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, AttestationError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(AttestationError::DocumentLength { found: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        match reader.tag()? {
            None | Some(TAG_COSE_SIGN1) => {}
            Some(found) => return Err(AttestationError::UnexpectedTag { found }),
        }
        match reader.array()?.announced() {
            Some(4) => {}
            found => return Err(AttestationError::EnvelopeLength { found }),
        }
        if reader.bytes()? != PROTECTED {
            return Err(AttestationError::ProtectedHeader);
        }
        match reader.map()?.announced() {
            Some(0) => {}
            _ => return Err(AttestationError::UnprotectedHeader),
        }
        let payload = reader.bytes()?;
        let payload_length = u16::try_from(payload.len())
            .ok()
            .filter(|length| (1..=MAX_PAYLOAD_BYTES).contains(&usize::from(*length)))
            .ok_or(AttestationError::PayloadLength {
                found: payload.len(),
            })?;
        let signature = reader.bytes()?;
        let signature = signature.try_into().map(Signature::new).map_err(|_| {
            AttestationError::SignatureLength {
                found: signature.len(),
            }
        })?;
        reader.end()?;
        Ok(Self {
            payload,
            payload_length,
            signature,
        })
    }

    pub(super) fn payload(&self) -> &'a [u8] {
        self.payload
    }

    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The `Sig_structure` of RFC 9052 section 4.4, with an empty external AAD.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        const ARRAY_OF_4: u8 = 0x84;
        const TEXT_OF_10: u8 = 0x6a;
        const BYTES_OF_4: u8 = 0x44;
        const BYTES_OF_0: u8 = 0x40;
        let mut signed = Vec::with_capacity(self.payload.len().saturating_add(32));
        signed.extend([ARRAY_OF_4, TEXT_OF_10]);
        signed.extend(b"Signature1");
        signed.push(BYTES_OF_4);
        signed.extend(PROTECTED);
        signed.push(BYTES_OF_0);
        match self.payload_length.to_be_bytes() {
            [0, low @ 0..=23] => signed.push(BYTES_OF_0 | low),
            [0, low] => signed.extend([0x58, low]),
            [high, low] => signed.extend([0x59, high, low]),
        }
        signed.extend(self.payload);
        signed
    }
}
