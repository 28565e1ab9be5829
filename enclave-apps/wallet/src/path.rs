//! Derivation paths of BIP-32, such as `m/44'/60'/0'/0/0`.
//!
//! Guarantees: a path has at most [`MAX_DEPTH`] steps and one text; what is read from any accepted
//! text prints as that one, with `'` for hardened steps.
//!
//! Trusts: nothing. Does not: know what a path is for (BIP-44).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// Most steps in a path. The usual ones have three to five.
pub const MAX_DEPTH: usize = 10;

/// First number of the hardened half.
const HARDENED: u32 = 1 << 31;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildNumber(u32);

/// Steps from the master key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<ChildNumber>);

/// Text that is no path. Its sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A step is not a number, without sign or leading zeros, and at most one mark `'`, `h` or `H`.
    #[error("step {step} of the path is not a number with or without a mark for hardened")]
    Step {
        /// Which one, from 1.
        step: usize,
    },
    /// A number is 2³¹ or more. Hardened steps are written with a mark, not with a large number.
    #[error("the number of step {step} is 2147483648 or more")]
    NumberTooLarge {
        /// Which one, from 1.
        step: usize,
    },
    /// The path does not begin with `m`.
    #[error("the path does not begin with m")]
    Root,
    /// The path has more steps than are accepted.
    #[error("the path has more than {max} steps")]
    TooDeep {
        /// Most accepted.
        max: usize,
    },
}

impl ChildNumber {
    /// A step whose public key could be derived from the parent's, if the number is below 2³¹.
    pub fn normal(number: u32) -> Option<Self> {
        (number < HARDENED).then_some(Self(number))
    }

    /// A step that takes the parent's secret, if the number is below 2³¹.
    pub fn hardened(number: u32) -> Option<Self> {
        Self::normal(number).map(|Self(number)| Self(number | HARDENED))
    }

    /// Whether it is hardened.
    pub fn is_hardened(self) -> bool {
        self.0 >= HARDENED
    }

    /// The number as it goes into the derivation, with the highest bit for hardened.
    pub fn to_u32(self) -> u32 {
        self.0
    }
}

impl Path {
    /// From its steps.
    ///
    /// # Errors
    /// [`PathError::TooDeep`]
    pub fn new(steps: Vec<ChildNumber>) -> Result<Self, PathError> {
        if steps.len() > MAX_DEPTH {
            return Err(PathError::TooDeep { max: MAX_DEPTH });
        }
        Ok(Self(steps))
    }

    /// Its steps from the master key.
    pub fn steps(&self) -> &[ChildNumber] {
        &self.0
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(PathError::Root);
        }
        let mut steps = Vec::new();
        for part in parts {
            if steps.len() == MAX_DEPTH {
                return Err(PathError::TooDeep { max: MAX_DEPTH });
            }
            steps.push(child(part, steps.len() + 1)?);
        }
        Ok(Self(steps))
    }
}

fn child(text: &str, step: usize) -> Result<ChildNumber, PathError> {
    let digits = text.strip_suffix(['\'', 'h', 'H']);
    let (digits, hardened) = match digits {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let all_digits = digits.bytes().all(|c| c.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || !all_digits || leading_zero {
        return Err(PathError::Step { step });
    }
    // Only digits: what does not parse is too large.
    let number = digits.parse().ok().filter(|number| *number < HARDENED);
    let number: u32 = number.ok_or(PathError::NumberTooLarge { step })?;
    Ok(ChildNumber(if hardened {
        number | HARDENED
    } else {
        number
    }))
}

impl fmt::Display for ChildNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_hardened() { "'" } else { "" };
        write!(f, "{}{mark}", self.0 & !HARDENED)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|step| write!(f, "/{step}"))
    }
}
