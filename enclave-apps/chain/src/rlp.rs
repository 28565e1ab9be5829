//! Recursive length prefix (Ethereum Yellow Paper, appendix B), one encoding for each value.
//!
//! An item is a byte string or a list of items. A [`Reader`] walks over the items of one list, a
//! [`Writer`] makes one; neither recurses by itself, so nesting is as deep as the caller's format.
//!
//! Guarantees: a reader refuses what no writer makes, so that equal values have equal bytes: a
//! length in its long form where the short one does, a length or an integer with leading zeros, a
//! single byte below 0x80 with a prefix, items past the end of their list. Every error has the
//! offset, counted from the first byte of the outermost item.
//!
//! Trusts: nothing. Does not: allocate when reading, or bound a list; the caller's format does.

use alloc::vec::Vec;

use crate::uint::U256;

/// First byte of the empty string; strings of up to 55 bytes have this plus their length.
const STRING: u8 = 0x80;
/// Added to the number of length bytes of longer strings.
const LONG_STRING: u8 = 0xb7;
/// First byte of the empty list.
const LIST: u8 = 0xc0;
/// Added to the number of length bytes of longer lists.
const LONG_LIST: u8 = 0xf7;
/// Longest payload whose length is in the first byte.
const SHORT: usize = 55;

/// Bytes that are no canonical RLP, or no value of the kind that belongs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RlpError {
    /// A list where a byte string belongs.
    #[error("a list at byte {offset} where a byte string belongs")]
    ExpectedBytes {
        /// First byte of the item.
        offset: usize,
    },
    /// A byte string where a list belongs.
    #[error("a byte string at byte {offset} where a list belongs")]
    ExpectedList {
        /// First byte of the item.
        offset: usize,
    },
    /// A list has more items than its format.
    #[error("a list goes on at byte {offset} after its last item")]
    Items {
        /// First byte of the item too many.
        offset: usize,
    },
    /// An integer has more bytes than its type.
    #[error("an integer of {found} bytes at byte {offset}, at most {max} are accepted")]
    IntegerTooLarge {
        /// First byte of the item.
        offset: usize,
        /// Largest accepted size in bytes.
        max: usize,
        /// Size found in bytes.
        found: usize,
    },
    /// An integer begins with a zero byte. Zero is the empty string.
    #[error("an integer at byte {offset} begins with zero")]
    LeadingZero {
        /// First byte of the item.
        offset: usize,
    },
    /// A byte string has another length than it must.
    #[error("a byte string of {found} bytes at byte {offset} where {expected} belong")]
    Length {
        /// First byte of the item.
        offset: usize,
        /// Length it must have.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A list ends before its last item.
    #[error("a list ends at byte {offset} before its last item")]
    Missing {
        /// Where the list ends.
        offset: usize,
    },
    /// A length is written longer than needed, or a byte below 0x80 has a prefix.
    #[error("the length at byte {offset} is not in its shortest form")]
    NotShortest {
        /// First byte of the item.
        offset: usize,
    },
    /// The item goes on after the end of its list or of the input.
    #[error("the item at byte {offset} ends after what contains it")]
    Truncated {
        /// First byte of the item.
        offset: usize,
    },
    /// Bytes after the outermost item.
    #[error("{count} bytes after the end, from byte {offset}")]
    Trailing {
        /// First of these bytes.
        offset: usize,
        /// How many there are.
        count: usize,
    },
}

/// The items of one list that are still to be read.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// An item as it was found.
struct Item<'a> {
    payload: &'a [u8],
    is_list: bool,
    /// Of its first byte, and of the first byte of its payload.
    offset: usize,
    payload_offset: usize,
}

impl<'a> Reader<'a> {
    /// The items of the one list that `input` is. `offset` is added to every offset of an error, for
    /// input that stood inside something else.
    ///
    /// # Errors
    /// [`RlpError`], where it is not one list or does not end with `input`.
    pub fn list_of(input: &'a [u8], offset: usize) -> Result<Self, RlpError> {
        let mut outer = Self {
            rest: input,
            offset,
        };
        let list = outer.list()?;
        if !outer.rest.is_empty() {
            return Err(RlpError::Trailing {
                offset: outer.offset,
                count: outer.rest.len(),
            });
        }
        Ok(list)
    }

    /// Whether all items have been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Where the next item begins.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The next item, a list.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn list(&mut self) -> Result<Self, RlpError> {
        let item = self.item()?;
        if !item.is_list {
            let offset = item.offset;
            return Err(RlpError::ExpectedList { offset });
        }
        Ok(Self {
            rest: item.payload,
            offset: item.payload_offset,
        })
    }

    /// The next item, a byte string.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn bytes(&mut self) -> Result<&'a [u8], RlpError> {
        let item = self.item()?;
        if item.is_list {
            let offset = item.offset;
            return Err(RlpError::ExpectedBytes { offset });
        }
        Ok(item.payload)
    }

    /// The next item, a byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        let offset = self.offset;
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| RlpError::Length {
            offset,
            expected: N,
            found: bytes.len(),
        })
    }

    /// The next item, an integer of at most 64 bits.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn u64(&mut self) -> Result<u64, RlpError> {
        Ok(u64::from_be_bytes(self.integer()?))
    }

    /// The next item, an integer of at most 128 bits.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn u128(&mut self) -> Result<u128, RlpError> {
        Ok(u128::from_be_bytes(self.integer()?))
    }

    /// The next item, an integer of at most 256 bits.
    ///
    /// # Errors
    /// [`RlpError`]
    pub fn u256(&mut self) -> Result<U256, RlpError> {
        Ok(U256::from_be_bytes(&self.integer()?))
    }

    /// Ends the list.
    ///
    /// # Errors
    /// [`RlpError::Items`] if one is left.
    pub fn end(self) -> Result<(), RlpError> {
        let offset = self.offset;
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(RlpError::Items { offset })
        }
    }

    fn integer<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        let offset = self.offset;
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::LeadingZero { offset });
        }
        let mut all = [0; N];
        let space = N.checked_sub(bytes.len()).and_then(|at| all.get_mut(at..));
        let space = space.ok_or(RlpError::IntegerTooLarge {
            offset,
            max: N,
            found: bytes.len(),
        })?;
        space.copy_from_slice(bytes);
        Ok(all)
    }

    fn item(&mut self) -> Result<Item<'a>, RlpError> {
        let offset = self.offset;
        let truncated = RlpError::Truncated { offset };
        let (&first, after) = self
            .rest
            .split_first()
            .ok_or(RlpError::Missing { offset })?;
        let (is_list, prefix, length) = match first {
            0..STRING => (false, 0, 1),
            STRING..=LONG_STRING => (false, 1, usize::from(first - STRING)),
            LIST..=LONG_LIST => (true, 1, usize::from(first - LIST)),
            _ => {
                let is_list = first > LONG_LIST;
                let base = if is_list { LONG_LIST } else { LONG_STRING };
                let size = usize::from(first - base);
                let digits = after.get(..size).ok_or(truncated)?;
                let length = long_length(digits, offset)?;
                (is_list, 1 + size, length)
            }
        };
        let end = prefix.checked_add(length).ok_or(truncated)?;
        let (item, rest) = self.rest.split_at_checked(end).ok_or(truncated)?;
        let payload = item.get(prefix..).ok_or(truncated)?;
        if let (false, 1, [byte]) = (is_list, prefix, payload)
            && *byte < STRING
        {
            return Err(RlpError::NotShortest { offset });
        }
        self.rest = rest;
        self.offset = offset.saturating_add(end);
        Ok(Item {
            payload,
            is_list,
            offset,
            payload_offset: offset.saturating_add(prefix),
        })
    }
}

/// A length that stands in bytes of its own: no leading zero, more than the short form could say.
fn long_length(digits: &[u8], offset: usize) -> Result<usize, RlpError> {
    if digits.first() == Some(&0) {
        return Err(RlpError::NotShortest { offset });
    }
    let value = U256::from_be_slice(digits).map(|v| v.to_be_bytes());
    let (high, low) = value
        .as_ref()
        .and_then(|bytes| bytes.split_last_chunk::<8>())
        .ok_or(RlpError::Truncated { offset })?;
    let length = usize::try_from(u64::from_be_bytes(*low)).unwrap_or(usize::MAX);
    if high.iter().any(|byte| *byte != 0) {
        return Err(RlpError::Truncated { offset });
    }
    if length <= SHORT {
        return Err(RlpError::NotShortest { offset });
    }
    Ok(length)
}

/// Writes the items of one list.
#[derive(Debug, Default)]
pub struct Writer {
    payload: Vec<u8>,
}

impl Writer {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        match bytes {
            [byte] if *byte < STRING => {}
            _ => header(&mut self.payload, STRING, bytes.len()),
        }
        self.payload.extend_from_slice(bytes);
        self
    }

    /// Adds an integer: no leading zeros, zero is the empty string.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.integer(&value.to_be_bytes())
    }

    /// Adds an integer.
    pub fn u128(&mut self, value: u128) -> &mut Self {
        self.integer(&value.to_be_bytes())
    }

    /// Adds an integer.
    pub fn u256(&mut self, value: &U256) -> &mut Self {
        self.integer(&value.to_be_bytes())
    }

    /// Adds a list.
    pub fn list(&mut self, list: &Self) -> &mut Self {
        header(&mut self.payload, LIST, list.payload.len());
        self.payload.extend_from_slice(&list.payload);
        self
    }

    /// The whole list, appended to `out`.
    pub fn finish(&self, out: &mut Vec<u8>) {
        header(out, LIST, self.payload.len());
        out.extend_from_slice(&self.payload);
    }

    fn integer(&mut self, bytes: &[u8]) -> &mut Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.bytes(bytes.get(zeros..).unwrap_or_default())
    }
}

/// `base` is [`STRING`] or [`LIST`].
fn header(out: &mut Vec<u8>, base: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short) if length <= SHORT => out.push(base + short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = bytes.get(zeros..).unwrap_or_default();
            // At most eight digits.
            let count = u8::try_from(digits.len()).unwrap_or_default();
            out.push(base + 55 + count);
            out.extend_from_slice(digits);
        }
    }
}
