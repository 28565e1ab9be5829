//! The NSM as a state machine: a request and a time in, a response out.
//!
//! What is known of the real device and reproduced here:
//!
//! * 32 PCRs of SHA-384. PCR0 to 15 are locked from the start; 16 to 31 begin at zero and can be
//!   extended until they are locked. Extending a locked PCR, or locking it once more by itself,
//!   is `ReadOnlyIndex`; an index above 31 is `InvalidIndex`. `LockPCRs` takes a range up to 32
//!   and passes over what is locked already.
//! * An attestation shows PCR0 to 15 always, and of the others those in use: locked or not zero.
//! * `GetRandom` gives 256 bytes.
//! * In debug mode PCR0, 1 and 2 are zero.
//! * What is not a request is `InvalidOperation`.
//!
//! Where this device is stricter than the real one: user data, nonce and public key above 1024
//! bytes are `InputTooLarge`. AWS documents that limit, but devices have been seen to sign more.
//! Software that works here stays within what is documented.
//!
//! What it guarantees: no request, however malformed, makes it panic or changes a locked PCR, and
//! a refused request changes nothing.
//!
//! What it trusts: the time it is given and its random source.

use std::sync::Arc;

use getrandom::SysRng;
use quorate_init::nsm::FIELD_MAX;
use quorate_init::nsm::wire::{Digest, ErrorCode, Request, Response, WireError};
use rand_core::TryCryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::document::{self, Fields};
use crate::identity::{IdentityError, InstanceId, ModuleId};
use crate::measurements::{Measurements, Pcr, ZERO_PCR, extend, instance_pcr, role_pcr};
use crate::pki::{Chain, DevelopmentRoot, PkiError};

/// How many PCRs there are.
pub const PCR_COUNT: u16 = 32;

/// The first PCR that an enclave can extend; those before it are locked from the start.
pub const FIRST_FREE_PCR: u16 = 16;

/// Bytes of entropy in one answer.
pub const RANDOM_LEN: usize = 256;

/// `{"Error": "InternalError"}`: what is answered when not even an error can be encoded.
const INTERNAL_ERROR: &[u8] = b"\xA1\x65Error\x6DInternalError";

/// Whether an enclave was started for debugging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its PCR0, 1 and 2 are zero: the hypervisor vouches for nothing.
    Debug,
    /// Its PCRs are its measurements.
    Normal,
}

/// What the hypervisor knows about an enclave before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The measurements of its image.
    pub measurements: Measurements,
    /// The instance it runs on (PCR4).
    pub instance: InstanceId,
    /// The ARN of that instance's role (PCR3), if it has one.
    pub role_arn: Option<String>,
    /// Whether it was started for debugging.
    pub mode: Mode,
}

/// Why a device cannot be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// The module id cannot be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificates cannot be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A measurement is zero, which only debug mode may show.
    #[error("PCR{index} would be zero, which means debug mode; measure the image or say so")]
    ZeroMeasurement {
        /// Which PCR.
        index: u16,
    },
}

/// One enclave's NSM.
pub struct NsmDevice<R = SysRng> {
    module: ModuleId,
    module_id: String,
    registers: [Register; PCR_COUNT as usize],
    root: Arc<DevelopmentRoot>,
    chain: Chain,
    rng: R,
}

#[derive(Clone, Copy)]
struct Register {
    value: Pcr,
    lock: Lock,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Extendable,
    Locked,
}

impl<R: TryCryptoRng> NsmDevice<R> {
    /// The NSM of an enclave that starts at `now_ms` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn new(
        config: Config,
        root: Arc<DevelopmentRoot>,
        mut rng: R,
        now_ms: u64,
    ) -> Result<Self, DeviceError> {
        let registers = registers(&config)?;
        let module = ModuleId::generate(config.instance, &mut rng, now_ms)?;
        let chain = Chain::issue(&root, &module, &mut rng, now_ms)?;
        let module_id = module.to_string();
        Ok(Self {
            module,
            module_id,
            registers,
            root,
            chain,
            rng,
        })
    }

    /// The id of this device.
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// Answers one request at `now_ms` (milliseconds since 1970).
    ///
    /// The answer to `GetRandom` is entropy: the caller wipes it.
    pub fn process(&mut self, request: &[u8], now_ms: u64) -> Vec<u8> {
        match self.answer(request, now_ms) {
            Ok(response) => response,
            Err(code) => encode(&Response::Error(code)).unwrap_or_else(|_| INTERNAL_ERROR.to_vec()),
        }
    }

    fn answer(&mut self, request: &[u8], now_ms: u64) -> Result<Vec<u8>, ErrorCode> {
        let request = Request::decode(request).map_err(|error| match error {
            WireError::TooLong { .. } => ErrorCode::InputTooLarge,
            _ => ErrorCode::InvalidOperation,
        })?;
        match request {
            Request::DescribePcr { index } => {
                let register = self.register(index)?;
                let lock = register.lock == Lock::Locked;
                encode(&Response::DescribePcr {
                    lock,
                    data: &register.value,
                })
            }
            Request::ExtendPcr { index, data } => {
                let register = self.unlocked(index)?;
                register.value = extend(&register.value, data);
                encode(&Response::ExtendPcr {
                    data: &register.value,
                })
            }
            Request::LockPcr { index } => {
                self.unlocked(index)?.lock = Lock::Locked;
                encode(&Response::LockPcr)
            }
            Request::LockPcrs { range } => {
                let range = usize::from(range);
                for register in self
                    .registers
                    .get_mut(..range)
                    .ok_or(ErrorCode::InvalidIndex)?
                {
                    register.lock = Lock::Locked;
                }
                encode(&Response::LockPcrs)
            }
            Request::DescribeNsm => encode(&Response::DescribeNsm {
                version_major: 1,
                version_minor: 0,
                version_patch: 0,
                module_id: &self.module_id,
                max_pcrs: PCR_COUNT,
                locked_pcrs: self
                    .numbered()
                    .filter(|(_, register)| register.lock == Lock::Locked)
                    .map(|(index, _)| index)
                    .collect(),
                digest: Digest::Sha384,
            }),
            Request::Attestation {
                user_data,
                nonce,
                public_key,
            } => self.attest(user_data, nonce, public_key, now_ms),
            Request::GetRandom => {
                let mut random = Zeroizing::new([0; RANDOM_LEN]);
                self.rng
                    .try_fill_bytes(random.as_mut_slice())
                    .map_err(|_| ErrorCode::InternalError)?;
                encode(&Response::GetRandom {
                    random: random.as_slice(),
                })
            }
        }
    }

    fn attest(
        &mut self,
        user_data: Option<&[u8]>,
        nonce: Option<&[u8]>,
        public_key: Option<&[u8]>,
        now_ms: u64,
    ) -> Result<Vec<u8>, ErrorCode> {
        if [user_data, nonce, public_key]
            .into_iter()
            .flatten()
            .any(|f| f.len() > FIELD_MAX)
        {
            return Err(ErrorCode::InputTooLarge);
        }
        self.chain
            .renew(&self.root, &self.module, &mut self.rng, now_ms)
            .map_err(|_| ErrorCode::InternalError)?;
        let pcrs: Vec<(u16, Pcr)> = self
            .numbered()
            .filter(|(index, register)| *index < FIRST_FREE_PCR || register.in_use())
            .map(|(index, register)| (index, register.value))
            .collect();
        let fields = Fields {
            module_id: &self.module_id,
            timestamp_ms: now_ms,
            pcrs: &pcrs,
            public_key,
            user_data,
            nonce,
        };
        let document =
            document::sign(&fields, &self.chain).map_err(|_| ErrorCode::InternalError)?;
        encode(&Response::Attestation {
            document: &document,
        })
    }

    fn register(&mut self, index: u16) -> Result<&mut Register, ErrorCode> {
        self.registers
            .get_mut(usize::from(index))
            .ok_or(ErrorCode::InvalidIndex)
    }

    fn unlocked(&mut self, index: u16) -> Result<&mut Register, ErrorCode> {
        match self.register(index)? {
            Register {
                lock: Lock::Locked, ..
            } => Err(ErrorCode::ReadOnlyIndex),
            register => Ok(register),
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u16, &Register)> {
        (0..PCR_COUNT).zip(&self.registers)
    }
}

impl Register {
    fn in_use(&self) -> bool {
        self.lock == Lock::Locked || self.value != ZERO_PCR
    }
}

fn registers(config: &Config) -> Result<[Register; PCR_COUNT as usize], DeviceError> {
    let measured = [
        config.measurements.pcr0,
        config.measurements.pcr1,
        config.measurements.pcr2,
        config.role_arn.as_deref().map_or(ZERO_PCR, role_pcr),
        instance_pcr(&config.instance),
    ];
    let signed = (8, config.measurements.pcr8.unwrap_or(ZERO_PCR));
    let mut registers = [Register {
        value: ZERO_PCR,
        lock: Lock::Extendable,
    }; 32];
    for (index, register) in (0..FIRST_FREE_PCR).zip(&mut registers) {
        register.lock = Lock::Locked;
        register.value = match (measured.get(usize::from(index)), config.mode) {
            (Some(_), Mode::Debug) if index < 3 => ZERO_PCR,
            (Some(&ZERO_PCR), Mode::Normal) if index < 3 => {
                return Err(DeviceError::ZeroMeasurement { index });
            }
            (Some(value), _) => *value,
            (None, _) if index == signed.0 => signed.1,
            (None, _) => ZERO_PCR,
        };
    }
    Ok(registers)
}

fn encode(response: &Response<'_>) -> Result<Vec<u8>, ErrorCode> {
    response.encode().map_err(|_| ErrorCode::InternalError)
}

#[cfg(test)]
mod tests;
