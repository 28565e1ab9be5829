//! Requests in both directions.

use minicbor::{Decoder, Encoder};

use super::codec::{
    Bounded, Message, Seen, Unknown, Written, bounded, encode_bounded, field, fields, finish,
    mandatory, message, name, only_u16, open, option, optional, read, set,
};
use super::{REQUEST_MAX, Request, WireError};

impl Request<'_> {
    /// The bytes of this request.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above [`REQUEST_MAX`] bytes.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        encode_bounded(REQUEST_MAX, |e| self.write(e))
    }

    fn write(&self, e: &mut Encoder<Bounded>) -> Written {
        match *self {
            Self::DescribePcr { index } => {
                open(e, name::DESCRIBE_PCR, 1)?
                    .str(field::INDEX)?
                    .u16(index)?;
            }
            Self::ExtendPcr { index, data } => {
                open(e, name::EXTEND_PCR, 2)?
                    .str(field::INDEX)?
                    .u16(index)?;
                e.str(field::DATA)?.bytes(data)?;
            }
            Self::LockPcr { index } => {
                open(e, name::LOCK_PCR, 1)?.str(field::INDEX)?.u16(index)?;
            }
            Self::LockPcrs { range } => {
                open(e, name::LOCK_PCRS, 1)?.str(field::RANGE)?.u16(range)?;
            }
            Self::DescribeNsm => {
                e.str(name::DESCRIBE_NSM)?;
            }
            Self::Attestation {
                user_data,
                nonce,
                public_key,
            } => {
                open(e, name::ATTESTATION, 3)?;
                optional(e, field::USER_DATA, user_data)?;
                optional(e, field::NONCE, nonce)?;
                optional(e, field::PUBLIC_KEY, public_key)?;
            }
            Self::GetRandom => {
                e.str(name::GET_RANDOM)?;
            }
        }
        Ok(())
    }
}

impl<'a> Request<'a> {
    /// Reads a request.
    ///
    /// Absent options count as null.
    ///
    /// # Errors
    /// Any [`WireError`]; see the module's head for what is refused.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut d = bounded(bytes, REQUEST_MAX)?;
        let request = match message(&mut d)? {
            Message::Unit(name::DESCRIBE_NSM) => Self::DescribeNsm,
            Message::Unit(name::GET_RANDOM) => Self::GetRandom,
            Message::Struct(name, close) => {
                let request = Self::decode_struct(&mut d, name)?;
                close.close(&mut d)?;
                request
            }
            Message::Unit(_) => {
                return Err(WireError::UnknownName {
                    offset: d.position(),
                });
            }
        };
        finish(&d)?;
        Ok(request)
    }

    fn decode_struct(d: &mut Decoder<'a>, name: &str) -> Result<Self, WireError> {
        match name {
            name::DESCRIBE_PCR => Ok(Self::DescribePcr {
                index: only_u16(d, field::INDEX)?,
            }),
            name::EXTEND_PCR => {
                let (mut index, mut data) = (None, None);
                fields(d, Unknown::Refuse, |key, d| match key {
                    field::INDEX => set(&mut index, field::INDEX, read(d, Decoder::u16)?),
                    field::DATA => set(&mut data, field::DATA, read(d, Decoder::bytes)?),
                    _ => Ok(Seen::Unknown),
                })?;
                Ok(Self::ExtendPcr {
                    index: mandatory(index, field::INDEX)?,
                    data: mandatory(data, field::DATA)?,
                })
            }
            name::LOCK_PCR => Ok(Self::LockPcr {
                index: only_u16(d, field::INDEX)?,
            }),
            name::LOCK_PCRS => Ok(Self::LockPcrs {
                range: only_u16(d, field::RANGE)?,
            }),
            name::ATTESTATION => {
                let (mut user_data, mut nonce, mut public_key) = (None, None, None);
                fields(d, Unknown::Refuse, |key, d| match key {
                    field::USER_DATA => set(&mut user_data, field::USER_DATA, option(d)?),
                    field::NONCE => set(&mut nonce, field::NONCE, option(d)?),
                    field::PUBLIC_KEY => set(&mut public_key, field::PUBLIC_KEY, option(d)?),
                    _ => Ok(Seen::Unknown),
                })?;
                Ok(Self::Attestation {
                    user_data: user_data.flatten(),
                    nonce: nonce.flatten(),
                    public_key: public_key.flatten(),
                })
            }
            _ => Err(WireError::UnknownName {
                offset: d.position(),
            }),
        }
    }
}
