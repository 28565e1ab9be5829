//! What requests and responses share: names, the bounded writer, the strict reader.

use std::collections::BTreeSet;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::WireError;

/// Names of requests and responses.
pub(super) mod name {
    pub(in crate::nsm::wire) const ATTESTATION: &str = "Attestation";
    pub(in crate::nsm::wire) const DESCRIBE_NSM: &str = "DescribeNSM";
    pub(in crate::nsm::wire) const DESCRIBE_PCR: &str = "DescribePCR";
    pub(in crate::nsm::wire) const ERROR: &str = "Error";
    pub(in crate::nsm::wire) const EXTEND_PCR: &str = "ExtendPCR";
    pub(in crate::nsm::wire) const GET_RANDOM: &str = "GetRandom";
    pub(in crate::nsm::wire) const LOCK_PCR: &str = "LockPCR";
    pub(in crate::nsm::wire) const LOCK_PCRS: &str = "LockPCRs";
}

/// Names of fields.
pub(super) mod field {
    pub(in crate::nsm::wire) const DATA: &str = "data";
    pub(in crate::nsm::wire) const DIGEST: &str = "digest";
    pub(in crate::nsm::wire) const DOCUMENT: &str = "document";
    pub(in crate::nsm::wire) const INDEX: &str = "index";
    pub(in crate::nsm::wire) const LOCK: &str = "lock";
    pub(in crate::nsm::wire) const LOCKED_PCRS: &str = "locked_pcrs";
    pub(in crate::nsm::wire) const MAX_PCRS: &str = "max_pcrs";
    pub(in crate::nsm::wire) const MODULE_ID: &str = "module_id";
    pub(in crate::nsm::wire) const NONCE: &str = "nonce";
    pub(in crate::nsm::wire) const PUBLIC_KEY: &str = "public_key";
    pub(in crate::nsm::wire) const RANDOM: &str = "random";
    pub(in crate::nsm::wire) const RANGE: &str = "range";
    pub(in crate::nsm::wire) const USER_DATA: &str = "user_data";
    pub(in crate::nsm::wire) const VERSION_MAJOR: &str = "version_major";
    pub(in crate::nsm::wire) const VERSION_MINOR: &str = "version_minor";
    pub(in crate::nsm::wire) const VERSION_PATCH: &str = "version_patch";
}

/// A growing buffer with an upper bound.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

/// The bound was reached: the only way in which encoding fails.
pub(super) struct Full;

pub(super) type Written = Result<(), minicbor::encode::Error<Full>>;

impl minicbor::encode::Write for Bounded {
    type Error = Full;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.max.saturating_sub(self.bytes.len()) {
            return Err(Full);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn encode_bounded(
    max: usize,
    write: impl FnOnce(&mut Encoder<Bounded>) -> Written,
) -> Result<Vec<u8>, WireError> {
    let mut encoder = Encoder::new(Bounded {
        bytes: Vec::new(),
        max,
    });
    match write(&mut encoder) {
        Ok(()) => Ok(encoder.into_writer().bytes),
        Err(_) => Err(WireError::TooLong { max }),
    }
}

/// Begins a variant with fields.
pub(super) fn open<'e>(
    e: &'e mut Encoder<Bounded>,
    name: &str,
    fields: u64,
) -> Result<&'e mut Encoder<Bounded>, minicbor::encode::Error<Full>> {
    e.map(1)?.str(name)?.map(fields)
}

pub(super) fn optional(e: &mut Encoder<Bounded>, field: &str, value: Option<&[u8]>) -> Written {
    e.str(field)?;
    match value {
        Some(bytes) => e.bytes(bytes)?,
        None => e.null()?,
    };
    Ok(())
}

/// The outer form of a message.
pub(super) enum Message<'b> {
    Unit(&'b str),
    Struct(&'b str, Close),
}

/// How a map ends.
#[derive(Clone, Copy)]
pub(super) enum Close {
    Counted,
    Break,
}

impl Close {
    pub(super) fn close(self, d: &mut Decoder<'_>) -> Result<(), WireError> {
        match self {
            Self::Counted => Ok(()),
            Self::Break if at_break(d)? => take_break(d),
            Self::Break => Err(WireError::Malformed {
                offset: d.position(),
            }),
        }
    }
}

/// What to do with a field of unknown name.
#[derive(Clone, Copy)]
pub(super) enum Unknown {
    Refuse,
    Skip,
}

/// Whether a field's name was known.
pub(super) enum Seen {
    Known,
    Unknown,
}

pub(super) fn bounded(bytes: &[u8], max: usize) -> Result<Decoder<'_>, WireError> {
    if bytes.len() > max {
        return Err(WireError::TooLong { max });
    }
    Ok(Decoder::new(bytes))
}

pub(super) fn finish(d: &Decoder<'_>) -> Result<(), WireError> {
    if d.position() == d.input().len() {
        Ok(())
    } else {
        Err(WireError::TrailingBytes {
            offset: d.position(),
        })
    }
}

/// Runs one step of the decoder and keeps only where it failed.
pub(super) fn read<'b, T>(
    d: &mut Decoder<'b>,
    step: impl FnOnce(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
) -> Result<T, WireError> {
    let start = d.position();
    step(d).map_err(|_| WireError::Malformed { offset: start })
}

pub(super) fn message<'b>(d: &mut Decoder<'b>) -> Result<Message<'b>, WireError> {
    let close = match read(d, |d| d.datatype())? {
        Type::String => return Ok(Message::Unit(read(d, Decoder::str)?)),
        Type::Map | Type::MapIndef => match read(d, Decoder::map)? {
            Some(1) => Close::Counted,
            None => Close::Break,
            Some(_) => return Err(WireError::Malformed { offset: 0 }),
        },
        _ => return Err(WireError::Malformed { offset: 0 }),
    };
    Ok(Message::Struct(read(d, Decoder::str)?, close))
}

fn at_break(d: &Decoder<'_>) -> Result<bool, WireError> {
    match d.datatype() {
        Ok(kind) => Ok(kind == Type::Break),
        Err(_) => Err(WireError::Malformed {
            offset: d.position(),
        }),
    }
}

fn take_break(d: &mut Decoder<'_>) -> Result<(), WireError> {
    // `skip` on a break consumes exactly that one byte.
    read(d, Decoder::skip)
}

/// Walks the fields of a variant. `field` reads the value of each field it knows.
pub(super) fn fields<'b>(
    d: &mut Decoder<'b>,
    unknown: Unknown,
    mut field: impl FnMut(&str, &mut Decoder<'b>) -> Result<Seen, WireError>,
) -> Result<(), WireError> {
    let mut left = read(d, Decoder::map)?;
    loop {
        match &mut left {
            Some(0) => return Ok(()),
            Some(count) => *count -= 1,
            None if at_break(d)? => return take_break(d),
            None => {}
        }
        let key = read(d, Decoder::str)?;
        if let Seen::Unknown = field(key, d)? {
            match unknown {
                Unknown::Refuse => {
                    return Err(WireError::UnknownField {
                        offset: d.position(),
                    });
                }
                // A break in place of a value would be taken for one.
                Unknown::Skip if at_break(d)? => {
                    return Err(WireError::Malformed {
                        offset: d.position(),
                    });
                }
                Unknown::Skip => read(d, Decoder::skip)?,
            }
        }
    }
}

pub(super) fn set<T>(
    slot: &mut Option<T>,
    field: &'static str,
    value: T,
) -> Result<Seen, WireError> {
    match slot.replace(value) {
        None => Ok(Seen::Known),
        Some(_) => Err(WireError::DuplicateField { field }),
    }
}

pub(super) fn mandatory<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::MissingField { field })
}

/// The fields of a request that has one number and nothing else.
pub(super) fn only_u16(d: &mut Decoder<'_>, name: &'static str) -> Result<u16, WireError> {
    let mut value = None;
    fields(d, Unknown::Refuse, |key, d| {
        if key == name {
            set(&mut value, name, read(d, Decoder::u16)?)
        } else {
            Ok(Seen::Unknown)
        }
    })?;
    mandatory(value, name)
}

/// The fields of a response that has one byte string and nothing else.
pub(super) fn only_bytes<'b>(
    d: &mut Decoder<'b>,
    name: &'static str,
) -> Result<&'b [u8], WireError> {
    let mut value = None;
    fields(d, Unknown::Skip, |key, d| {
        if key == name {
            set(&mut value, name, read(d, Decoder::bytes)?)
        } else {
            Ok(Seen::Unknown)
        }
    })?;
    mandatory(value, name)
}

pub(super) fn option<'b>(d: &mut Decoder<'b>) -> Result<Option<&'b [u8]>, WireError> {
    match read(d, |d| d.datatype())? {
        Type::Null => read(d, Decoder::null).map(|()| None),
        _ => read(d, Decoder::bytes).map(Some),
    }
}

/// An array of different PCR indices.
pub(super) fn index_set(d: &mut Decoder<'_>) -> Result<BTreeSet<u16>, WireError> {
    let mut left = read(d, Decoder::array)?;
    let mut set = BTreeSet::new();
    loop {
        match &mut left {
            Some(0) => return Ok(set),
            Some(count) => *count -= 1,
            None if at_break(d)? => {
                take_break(d)?;
                return Ok(set);
            }
            None => {}
        }
        let offset = d.position();
        if !set.insert(read(d, Decoder::u16)?) {
            return Err(WireError::Malformed { offset });
        }
    }
}
