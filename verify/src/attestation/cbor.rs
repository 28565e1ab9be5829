//! A bounded reader for the part of CBOR (RFC 8949) that attestation documents use.
//!
//! It borrows from the input, allocates nothing and never recurses: the caller asks for the type
//! it expects next, so nesting that the format does not have is a wrong type and never a deeper
//! call. Arguments must be in their shortest form. Strings have a definite length; arrays and maps
//! may also be indefinite, as the security module has sent them since 2025.

use thiserror::Error;

use super::error::AttestationError;

/// What is wrong with the encoding itself.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CborProblem {
    /// A text string that is not UTF-8.
    #[error("a text string is not UTF-8")]
    InvalidUtf8,
    /// A string sent in pieces of which the total length is not known in advance.
    #[error("a string has an indefinite length")]
    IndefiniteString,
    /// A length or number that is not in its shortest form.
    #[error("a length or number is not in its shortest form")]
    NotShortest,
    /// An initial byte that RFC 8949 reserves.
    #[error("an initial byte is reserved")]
    Reserved,
    /// The input ends inside an item.
    #[error("the bytes end inside an item")]
    Truncated,
    /// An item of another type than the format has at this place.
    #[error("expected {expected}, found {found}")]
    UnexpectedType {
        /// The type that the format has here.
        expected: CborType,
        /// The type that is here.
        found: CborType,
    },
}

/// The type of a CBOR item, as far as this format tells them apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CborType {
    /// Major type 4.
    #[error("an array")]
    Array,
    /// The end of an indefinite-length item.
    #[error("a break")]
    Break,
    /// Major type 2.
    #[error("a byte string")]
    Bytes,
    /// Major type 5.
    #[error("a map")]
    Map,
    /// Major type 1.
    #[error("a negative number")]
    Negative,
    /// The simple value 22.
    #[error("null")]
    Null,
    /// Any other simple value, or a floating-point number.
    #[error("a simple value or float")]
    Simple,
    /// Major type 6.
    #[error("a tag")]
    Tag,
    /// Major type 3.
    #[error("a text string")]
    Text,
    /// Major type 0.
    #[error("an unsigned number")]
    Unsigned,
}

/// Reads items one after another.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

/// The number of items that an array or map still has.
pub(super) struct Items {
    remaining: Option<u64>,
}

struct Head {
    kind: CborType,
    /// `None` stands for an indefinite length.
    argument: Option<u64>,
}

const BREAK: u8 = 0xff;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    /// An unsigned number.
    pub(super) fn unsigned(&mut self) -> Result<u64, AttestationError> {
        self.definite(CborType::Unsigned)
    }

    /// A byte string of definite length.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], AttestationError> {
        let length = self.definite(CborType::Bytes)?;
        self.take(length)
    }

    /// A byte string of definite length, or null.
    pub(super) fn bytes_or_null(&mut self) -> Result<Option<&'a [u8]>, AttestationError> {
        const NULL: u8 = 0xf6;
        if let Some((&NULL, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Ok(None);
        }
        self.bytes().map(Some)
    }

    /// A text string of definite length.
    pub(super) fn text(&mut self) -> Result<&'a str, AttestationError> {
        let length = self.definite(CborType::Text)?;
        let at = self.offset();
        core::str::from_utf8(self.take(length)?).map_err(|_| problem(at, CborProblem::InvalidUtf8))
    }

    /// The head of an array. Follow with [`Items::next`] before each element.
    pub(super) fn array(&mut self) -> Result<Items, AttestationError> {
        self.container(CborType::Array)
    }

    /// The head of a map. Follow with [`Items::next`] before each key.
    pub(super) fn map(&mut self) -> Result<Items, AttestationError> {
        self.container(CborType::Map)
    }

    /// The number of a tag, if the next item has one.
    pub(super) fn tag(&mut self) -> Result<Option<u64>, AttestationError> {
        match self.rest.first() {
            Some(first) if first >> 5 == 6 => self.definite(CborType::Tag).map(Some),
            _ => Ok(None),
        }
    }

    /// Refuses bytes after the last item.
    pub(super) fn end(self) -> Result<(), AttestationError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(AttestationError::TrailingBytes { count }),
        }
    }

    /// The position of the next byte, counted from the start of this reader's input.
    pub(super) fn offset(&self) -> usize {
        self.total.saturating_sub(self.rest.len())
    }

    fn container(&mut self, expected: CborType) -> Result<Items, AttestationError> {
        let remaining = self.head(expected)?.argument;
        Ok(Items { remaining })
    }

    fn definite(&mut self, expected: CborType) -> Result<u64, AttestationError> {
        let at = self.offset();
        self.head(expected)?
            .argument
            .ok_or(problem(at, CborProblem::IndefiniteString))
    }

    fn head(&mut self, expected: CborType) -> Result<Head, AttestationError> {
        let at = self.offset();
        let head = self.any_head()?;
        if head.kind == expected {
            return Ok(head);
        }
        let found = head.kind;
        Err(problem(at, CborProblem::UnexpectedType { expected, found }))
    }

    fn any_head(&mut self) -> Result<Head, AttestationError> {
        let at = self.offset();
        let initial = self.byte()?;
        let information = initial & 0x1f;
        let (argument, shortest) = match information {
            0..=23 => (Some(u64::from(information)), true),
            24 => self.argument::<1>(24)?,
            25 => self.argument::<2>(1 << 8)?,
            26 => self.argument::<4>(1 << 16)?,
            27 => self.argument::<8>(1 << 32)?,
            31 => (None, true),
            _ => return Err(problem(at, CborProblem::Reserved)),
        };
        let kind = match (initial >> 5, information) {
            (0, _) => CborType::Unsigned,
            (1, _) => CborType::Negative,
            (2, _) => CborType::Bytes,
            (3, _) => CborType::Text,
            (4, _) => CborType::Array,
            (5, _) => CborType::Map,
            (6, _) => CborType::Tag,
            (_, 22) => CborType::Null,
            (_, 31) => CborType::Break,
            _ => CborType::Simple,
        };
        if argument.is_none() && matches!(initial >> 5, 0 | 1 | 6) {
            return Err(problem(at, CborProblem::Reserved));
        }
        if !shortest && kind != CborType::Simple {
            return Err(problem(at, CborProblem::NotShortest));
        }
        Ok(Head { kind, argument })
    }

    /// A big-endian argument of `N` bytes, and whether it needs that many.
    fn argument<const N: usize>(
        &mut self,
        least: u64,
    ) -> Result<(Option<u64>, bool), AttestationError> {
        let mut value = 0;
        for _ in 0..N {
            value = (value << 8) | u64::from(self.byte()?);
        }
        Ok((Some(value), value >= least))
    }

    fn byte(&mut self) -> Result<u8, AttestationError> {
        let at = self.offset();
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(problem(at, CborProblem::Truncated))?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], AttestationError> {
        let at = self.offset();
        let (taken, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or(problem(at, CborProblem::Truncated))?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Items {
    /// The announced number of items, where there is one.
    pub(super) fn announced(&self) -> Option<u64> {
        self.remaining
    }

    /// Whether another item (or key) follows. Consumes the break of an indefinite container.
    pub(super) fn next(&mut self, reader: &mut Reader<'_>) -> Result<bool, AttestationError> {
        match self.remaining.as_mut() {
            Some(remaining) => match remaining.checked_sub(1) {
                Some(fewer) => {
                    *remaining = fewer;
                    Ok(true)
                }
                None => Ok(false),
            },
            None => match reader.rest.split_first() {
                Some((&BREAK, rest)) => {
                    reader.rest = rest;
                    Ok(false)
                }
                _ => Ok(true),
            },
        }
    }
}

fn problem(offset: usize, problem: CborProblem) -> AttestationError {
    AttestationError::Cbor { offset, problem }
}
