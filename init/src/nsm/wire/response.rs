//! Responses in both directions.

use minicbor::{Decoder, Encoder};

use super::codec::{
    Bounded, Message, Seen, Unknown, Written, bounded, encode_bounded, field, fields, finish,
    index_set, mandatory, message, name, only_bytes, open, read, set,
};
use super::{Digest, ErrorCode, RESPONSE_MAX, Response, WireError};

impl Response<'_> {
    /// The bytes of this response.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above [`RESPONSE_MAX`] bytes.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        encode_bounded(RESPONSE_MAX, |e| self.write(e))
    }

    fn write(&self, e: &mut Encoder<Bounded>) -> Written {
        match self {
            Self::DescribePcr { lock, data } => {
                open(e, name::DESCRIBE_PCR, 2)?
                    .str(field::LOCK)?
                    .bool(*lock)?;
                e.str(field::DATA)?.bytes(data)?;
            }
            Self::ExtendPcr { data } => {
                open(e, name::EXTEND_PCR, 1)?
                    .str(field::DATA)?
                    .bytes(data)?;
            }
            Self::LockPcr => {
                e.str(name::LOCK_PCR)?;
            }
            Self::LockPcrs => {
                e.str(name::LOCK_PCRS)?;
            }
            Self::DescribeNsm {
                version_major,
                version_minor,
                version_patch,
                module_id,
                max_pcrs,
                locked_pcrs,
                digest,
            } => {
                open(e, name::DESCRIBE_NSM, 7)?;
                e.str(field::VERSION_MAJOR)?.u16(*version_major)?;
                e.str(field::VERSION_MINOR)?.u16(*version_minor)?;
                e.str(field::VERSION_PATCH)?.u16(*version_patch)?;
                e.str(field::MODULE_ID)?.str(module_id)?;
                e.str(field::MAX_PCRS)?.u16(*max_pcrs)?;
                // A set of u16 has at most 65536 members, so the length is exact.
                e.str(field::LOCKED_PCRS)?.array(locked_pcrs.len() as u64)?;
                for index in locked_pcrs {
                    e.u16(*index)?;
                }
                e.str(field::DIGEST)?.str(digest.name())?;
            }
            Self::Attestation { document } => {
                open(e, name::ATTESTATION, 1)?
                    .str(field::DOCUMENT)?
                    .bytes(document)?;
            }
            Self::GetRandom { random } => {
                open(e, name::GET_RANDOM, 1)?
                    .str(field::RANDOM)?
                    .bytes(random)?;
            }
            Self::Error(code) => {
                e.map(1)?.str(name::ERROR)?.str(code.name())?;
            }
        }
        Ok(())
    }
}

impl<'a> Response<'a> {
    /// Reads a response.
    ///
    /// # Errors
    /// Any [`WireError`]; see the module's head for what is refused.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut d = bounded(bytes, RESPONSE_MAX)?;
        let response = match message(&mut d)? {
            Message::Unit(name::LOCK_PCR) => Self::LockPcr,
            Message::Unit(name::LOCK_PCRS) => Self::LockPcrs,
            Message::Struct(name, close) => {
                let response = Self::decode_struct(&mut d, name)?;
                close.close(&mut d)?;
                response
            }
            Message::Unit(_) => {
                return Err(WireError::UnknownName {
                    offset: d.position(),
                });
            }
        };
        finish(&d)?;
        Ok(response)
    }

    fn decode_struct(d: &mut Decoder<'a>, name: &str) -> Result<Self, WireError> {
        match name {
            name::DESCRIBE_PCR => {
                let (mut lock, mut data) = (None, None);
                fields(d, Unknown::Skip, |key, d| match key {
                    field::LOCK => set(&mut lock, field::LOCK, read(d, Decoder::bool)?),
                    field::DATA => set(&mut data, field::DATA, read(d, Decoder::bytes)?),
                    _ => Ok(Seen::Unknown),
                })?;
                Ok(Self::DescribePcr {
                    lock: mandatory(lock, field::LOCK)?,
                    data: mandatory(data, field::DATA)?,
                })
            }
            name::EXTEND_PCR => Ok(Self::ExtendPcr {
                data: only_bytes(d, field::DATA)?,
            }),
            name::DESCRIBE_NSM => Self::decode_description(d),
            name::ATTESTATION => Ok(Self::Attestation {
                document: only_bytes(d, field::DOCUMENT)?,
            }),
            name::GET_RANDOM => Ok(Self::GetRandom {
                random: only_bytes(d, field::RANDOM)?,
            }),
            name::ERROR => {
                let code = read(d, Decoder::str)?;
                ErrorCode::from_name(code)
                    .map(Self::Error)
                    .ok_or(WireError::UnknownName {
                        offset: d.position(),
                    })
            }
            _ => Err(WireError::UnknownName {
                offset: d.position(),
            }),
        }
    }

    fn decode_description(d: &mut Decoder<'a>) -> Result<Self, WireError> {
        use field::{
            DIGEST, LOCKED_PCRS, MAX_PCRS, MODULE_ID, VERSION_MAJOR, VERSION_MINOR, VERSION_PATCH,
        };
        let (mut major, mut minor, mut patch) = (None, None, None);
        let (mut module_id, mut max_pcrs, mut locked, mut digest) = (None, None, None, None);
        fields(d, Unknown::Skip, |key, d| match key {
            VERSION_MAJOR => set(&mut major, VERSION_MAJOR, read(d, Decoder::u16)?),
            VERSION_MINOR => set(&mut minor, VERSION_MINOR, read(d, Decoder::u16)?),
            VERSION_PATCH => set(&mut patch, VERSION_PATCH, read(d, Decoder::u16)?),
            MODULE_ID => set(&mut module_id, MODULE_ID, read(d, Decoder::str)?),
            MAX_PCRS => set(&mut max_pcrs, MAX_PCRS, read(d, Decoder::u16)?),
            LOCKED_PCRS => set(&mut locked, LOCKED_PCRS, index_set(d)?),
            DIGEST => {
                let name = read(d, Decoder::str)?;
                let value = Digest::from_name(name).ok_or(WireError::UnknownName {
                    offset: d.position(),
                })?;
                set(&mut digest, DIGEST, value)
            }
            _ => Ok(Seen::Unknown),
        })?;
        Ok(Self::DescribeNsm {
            version_major: mandatory(major, VERSION_MAJOR)?,
            version_minor: mandatory(minor, VERSION_MINOR)?,
            version_patch: mandatory(patch, VERSION_PATCH)?,
            module_id: mandatory(module_id, MODULE_ID)?,
            max_pcrs: mandatory(max_pcrs, MAX_PCRS)?,
            locked_pcrs: mandatory(locked, LOCKED_PCRS)?,
            digest: mandatory(digest, DIGEST)?,
        })
    }
}
