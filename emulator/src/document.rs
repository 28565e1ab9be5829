//! Builds and signs attestation documents.
//!
//! A document is an untagged COSE_Sign1 array (RFC 9052): protected header `{1: -35}` (ES384),
//! empty unprotected header, payload, raw signature of 96 bytes. The payload is a map of
//! indefinite length, as AWS writes it since August 2025, with the nine fields in the order of
//! genuine documents; an absent user data, nonce or public key is null, never left out.
//!
//! What it guarantees: two documents with the same fields under the same leaf are equal
//! (signatures are deterministic, RFC 6979).
//!
//! What it does not do: decide what may be signed. The device bounds the fields.

use std::convert::Infallible;

use minicbor::Encoder;
use p384::ecdsa::Signature;
use p384::ecdsa::signature::Signer;
use thiserror::Error;

use crate::measurements::Pcr;
use crate::pki::Chain;

/// The serialized protected header: `{1: -35}`.
const PROTECTED: [u8; 4] = [0xA1, 0x01, 0x38, 0x22];

/// The fields of a document other than those of its signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The id of the NSM.
    pub module_id: &'a str,
    /// When the document is made, milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The PCRs to show, by ascending index.
    pub pcrs: &'a [(u16, Pcr)],
    /// The public key to vouch for.
    pub public_key: Option<&'a [u8]>,
    /// Bytes of the caller's choice.
    pub user_data: Option<&'a [u8]>,
    /// The challenge.
    pub nonce: Option<&'a [u8]>,
}

/// Why a document could not be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentError {
    /// The CBOR encoder failed.
    #[error("the document could not be encoded; this is a mistake in the emulator")]
    Encoding,
    /// The leaf's key did not sign.
    #[error("the document could not be signed; this is a mistake in the emulator")]
    Signing,
}

/// Builds a document and signs it with the leaf of `chain`.
///
/// # Errors
/// [`DocumentError`].
pub fn sign(fields: &Fields<'_>, chain: &Chain) -> Result<Vec<u8>, DocumentError> {
    let payload = encoded(|e| payload(e, fields, chain))?;
    let signed = encoded(|e| {
        e.array(4)?
            .str("Signature1")?
            .bytes(&PROTECTED)?
            .bytes(&[])?
            .bytes(&payload)?;
        Ok(())
    })?;
    let signature: Signature = chain
        .leaf_key()
        .try_sign(&signed)
        .map_err(|_| DocumentError::Signing)?;
    encoded(|e| {
        e.array(4)?
            .bytes(&PROTECTED)?
            .map(0)?
            .bytes(&payload)?
            .bytes(&signature.to_bytes())?;
        Ok(())
    })
}

type Written = Result<(), minicbor::encode::Error<Infallible>>;

fn encoded(
    write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written,
) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes)).map_err(|_| DocumentError::Encoding)?;
    Ok(bytes)
}

fn payload(e: &mut Encoder<&mut Vec<u8>>, fields: &Fields<'_>, chain: &Chain) -> Written {
    e.begin_map()?;
    e.str("module_id")?.str(fields.module_id)?;
    e.str("digest")?.str("SHA384")?;
    e.str("timestamp")?.u64(fields.timestamp_ms)?;
    e.str("pcrs")?.map(fields.pcrs.len() as u64)?;
    for (index, value) in fields.pcrs {
        e.u16(*index)?.bytes(value)?;
    }
    e.str("certificate")?.bytes(chain.certificate())?;
    let bundle = chain.cabundle();
    e.str("cabundle")?.array(bundle.len() as u64)?;
    for certificate in bundle {
        e.bytes(certificate)?;
    }
    optional(e, "public_key", fields.public_key)?;
    optional(e, "user_data", fields.user_data)?;
    optional(e, "nonce", fields.nonce)?;
    e.end()?;
    Ok(())
}

fn optional(e: &mut Encoder<&mut Vec<u8>>, name: &str, value: Option<&[u8]>) -> Written {
    e.str(name)?;
    match value {
        Some(bytes) => e.bytes(bytes)?,
        None => e.null()?,
    };
    Ok(())
}
