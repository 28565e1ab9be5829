//! The client of the Nitro Security Module (NSM).
//!
//! [`Nsm`] turns the device's messages into typed calls: a call either returns what was asked for
//! or an [`NsmError`] that says what happened and whose fault it is. It is generic over a
//! [`Transport`] that carries bytes; the only one in this package is [`DevNsm`], which is
//! `/dev/nsm`.
//!
//! What it guarantees: an answer of another kind, of a wrong length or with bytes left over is an
//! error, never a value; nothing the device says makes it panic; the buffer that answers pass
//! through is wiped after each call, because an answer can be entropy.
//!
//! What it trusts: the device and the driver. An attestation document is returned as it came;
//! who wants to know what it says verifies it.
//!
//! What it does not do: it keeps no copy of the PCRs, retries nothing and draws no conclusions
//! from a refusal.

use std::collections::BTreeSet;

use zeroize::{Zeroize, Zeroizing};

pub use self::error::{AttestField, Call, Fault, NsmError, TransportError};
use self::wire::{Digest, RESPONSE_MAX, Request, Response, WireError};
pub use crate::sys::DevNsm;

mod error;
pub mod wire;

/// Bytes of a PCR: all banks seen on Nitro are SHA-384.
pub const PCR_LEN: usize = 48;

/// The longest user data, nonce or public key of an attestation, in bytes.
pub const FIELD_MAX: usize = 1024;

/// The fewest random bytes taken as an answer to [`Nsm::random`]. Devices give 256.
pub const RANDOM_MIN: usize = 32;

/// Carries one request to an NSM and its answer back.
pub trait Transport {
    /// Sends `request` and writes the answer to the front of `response`.
    ///
    /// Returns how many bytes were written. An answer longer than `response` is an error, never
    /// cut off silently.
    ///
    /// # Errors
    /// Any [`TransportError`]. After one the transport must not be used for another request.
    fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<usize, TransportError>;
}

/// Typed calls to an NSM.
pub struct Nsm<T> {
    transport: T,
    response: Zeroizing<Vec<u8>>,
}

/// What an NSM says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsmDescription {
    /// The version of its protocol.
    pub version: NsmVersion,
    /// Its identifier, `<instance id>-enc<enclave id>`.
    pub module_id: String,
    /// How many PCRs there are; 32 on all devices seen.
    pub max_pcrs: u16,
    /// Which PCRs are read-only.
    pub locked_pcrs: BTreeSet<u16>,
    /// The hash function of the PCR bank; always SHA-384 here.
    pub digest: Digest,
}

/// The version of an NSM's protocol. `major` is always 1 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsmVersion {
    /// Changes with every incompatible change.
    pub major: u16,
    /// Changes with every compatible change.
    pub minor: u16,
    /// Changes with every fix.
    pub patch: u16,
}

/// The state of one PCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcrState {
    /// Whether the PCR is read-only.
    pub lock: PcrLock,
    /// Its value.
    pub value: [u8; PCR_LEN],
}

/// Whether a PCR can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcrLock {
    /// It can be extended.
    Extendable,
    /// It keeps its value until the enclave ends.
    Locked,
}

impl<T: Transport> Nsm<T> {
    /// A client over `transport`.
    pub fn new(transport: T) -> Self {
        Self {
            transport,
            response: Zeroizing::new(vec![0; RESPONSE_MAX]),
        }
    }

    /// Asks for version, identity and limits.
    ///
    /// # Errors
    /// [`NsmError`]; also for a major version other than 1 and for PCRs that are not SHA-384.
    pub fn describe(&mut self) -> Result<NsmDescription, NsmError> {
        self.call(
            Call::Describe,
            Request::DescribeNsm,
            |response| match response {
                Response::DescribeNsm { version_major, .. } if version_major != 1 => {
                    Err(NsmError::UnsupportedVersion {
                        major: version_major,
                    })
                }
                Response::DescribeNsm { digest, .. } if digest != Digest::Sha384 => {
                    Err(NsmError::UnsupportedDigest { digest })
                }
                Response::DescribeNsm {
                    version_major,
                    version_minor,
                    version_patch,
                    module_id,
                    max_pcrs,
                    locked_pcrs,
                    digest,
                } => Ok(NsmDescription {
                    version: NsmVersion {
                        major: version_major,
                        minor: version_minor,
                        patch: version_patch,
                    },
                    module_id: module_id.to_owned(),
                    max_pcrs,
                    locked_pcrs,
                    digest,
                }),
                other => Err(unexpected(Call::Describe, &other)),
            },
        )
    }

    /// Reads one PCR.
    ///
    /// # Errors
    /// [`NsmError`].
    pub fn describe_pcr(&mut self, index: u16) -> Result<PcrState, NsmError> {
        let call = Call::DescribePcr { index };
        self.call(
            call,
            Request::DescribePcr { index },
            |response| match response {
                Response::DescribePcr { lock, data } => Ok(PcrState {
                    lock: if lock {
                        PcrLock::Locked
                    } else {
                        PcrLock::Extendable
                    },
                    value: pcr(call, data)?,
                }),
                other => Err(unexpected(call, &other)),
            },
        )
    }

    /// Extends a PCR: its new value is SHA-384(old value ‖ `data`). Returns the new value.
    ///
    /// # Errors
    /// [`NsmError`]; [`wire::ErrorCode::ReadOnlyIndex`] when the PCR is locked.
    pub fn extend(&mut self, index: u16, data: &[u8]) -> Result<[u8; PCR_LEN], NsmError> {
        let call = Call::Extend { index };
        self.call(
            call,
            Request::ExtendPcr { index, data },
            |response| match response {
                Response::ExtendPcr { data } => pcr(call, data),
                other => Err(unexpected(call, &other)),
            },
        )
    }

    /// Locks one PCR.
    ///
    /// # Errors
    /// [`NsmError`]; [`wire::ErrorCode::ReadOnlyIndex`] when the PCR is locked already.
    pub fn lock(&mut self, index: u16) -> Result<(), NsmError> {
        let call = Call::Lock { index };
        self.call(
            call,
            Request::LockPcr { index },
            |response| match response {
                Response::LockPcr => Ok(()),
                other => Err(unexpected(call, &other)),
            },
        )
    }

    /// Locks the PCRs `0..range`. Those that are locked already stay so.
    ///
    /// # Errors
    /// [`NsmError`].
    pub fn lock_range(&mut self, range: u16) -> Result<(), NsmError> {
        let call = Call::LockRange { range };
        self.call(
            call,
            Request::LockPcrs { range },
            |response| match response {
                Response::LockPcrs => Ok(()),
                other => Err(unexpected(call, &other)),
            },
        )
    }

    /// Draws entropy: as many bytes as the device gives at once, at least [`RANDOM_MIN`].
    ///
    /// # Errors
    /// [`NsmError`].
    pub fn random(&mut self) -> Result<Zeroizing<Vec<u8>>, NsmError> {
        self.call(
            Call::Random,
            Request::GetRandom,
            |response| match response {
                Response::GetRandom { random } if random.len() < RANDOM_MIN => {
                    Err(NsmError::RandomTooShort { len: random.len() })
                }
                Response::GetRandom { random } => Ok(Zeroizing::new(random.to_vec())),
                other => Err(unexpected(Call::Random, &other)),
            },
        )
    }

    /// Asks for an attestation document, a COSE_Sign1 object.
    ///
    /// # Errors
    /// [`NsmError`]; [`NsmError::FieldTooLong`] before anything is sent when a field has more
    /// than [`FIELD_MAX`] bytes.
    pub fn attest(
        &mut self,
        user_data: Option<&[u8]>,
        nonce: Option<&[u8]>,
        public_key: Option<&[u8]>,
    ) -> Result<Vec<u8>, NsmError> {
        for (field, value) in [
            (AttestField::UserData, user_data),
            (AttestField::Nonce, nonce),
            (AttestField::PublicKey, public_key),
        ] {
            let len = value.map_or(0, <[u8]>::len);
            if len > FIELD_MAX {
                return Err(NsmError::FieldTooLong { field, len });
            }
        }
        let request = Request::Attestation {
            user_data,
            nonce,
            public_key,
        };
        self.call(Call::Attest, request, |response| match response {
            Response::Attestation { document } => Ok(document.to_vec()),
            other => Err(unexpected(Call::Attest, &other)),
        })
    }

    fn call<R>(
        &mut self,
        call: Call,
        request: Request<'_>,
        accept: impl FnOnce(Response<'_>) -> Result<R, NsmError>,
    ) -> Result<R, NsmError> {
        let request = request
            .encode()
            .map_err(|_| NsmError::RequestTooLong { call })?;
        let result = self
            .transport
            .exchange(&request, &mut self.response)
            .map_err(|error| NsmError::Transport { call, error })
            .and_then(|len| {
                // A transport that claims more than it was given broke its contract.
                let error = TransportError::ResponseTooLong {
                    len,
                    max: RESPONSE_MAX,
                };
                self.response
                    .get(..len)
                    .ok_or(NsmError::Transport { call, error })
            })
            .and_then(|bytes| {
                Response::decode(bytes)
                    .map_err(|error: WireError| NsmError::MalformedResponse { call, error })
            })
            .and_then(|response| match response {
                Response::Error(code) => Err(NsmError::Device { call, code }),
                response => accept(response),
            });
        self.response.as_mut_slice().zeroize();
        result
    }
}

fn unexpected(call: Call, response: &Response<'_>) -> NsmError {
    NsmError::UnexpectedResponse {
        call,
        response: response.kind(),
    }
}

fn pcr(call: Call, data: &[u8]) -> Result<[u8; PCR_LEN], NsmError> {
    data.try_into().map_err(|_| NsmError::PcrLength {
        call,
        len: data.len(),
    })
}

#[cfg(test)]
mod tests;
