//! A PIN, or the statement that it is typed on the token itself.

use core::fmt;

use zeroize::Zeroizing;

/// Longest PIN in bytes.
pub const LONGEST_PIN: usize = 256;

/// What unlocks a token. Wiped when dropped.
pub enum Pin {
    /// Typed on this machine.
    Typed(TypedPin),
    /// Typed on the token's own keys.
    OnToken,
}

/// A PIN of 1 to [`LONGEST_PIN`] bytes.
pub struct TypedPin(Zeroizing<String>);

/// Text that is no PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinUnusable {
    /// Its length in bytes.
    pub found: usize,
}

impl fmt::Display for PinUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        write!(f, "the PIN has {found} bytes, not 1 to {LONGEST_PIN}")
    }
}

impl core::error::Error for PinUnusable {}

impl Pin {
    /// Takes a PIN that was typed here.
    ///
    /// # Errors
    /// [`PinUnusable`] if it is empty or too long.
    pub fn typed(text: Zeroizing<String>) -> Result<Self, PinUnusable> {
        let found = text.len();
        if !(1..=LONGEST_PIN).contains(&found) {
            return Err(PinUnusable { found });
        }
        Ok(Self::Typed(TypedPin(text)))
    }
}

impl TypedPin {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_of_an_impossible_length_fails_closed() {
        for found in [0, LONGEST_PIN + 1] {
            let refused = Pin::typed(Zeroizing::new("1".repeat(found)));
            assert_eq!(refused.err(), Some(PinUnusable { found }));
        }
        assert!(Pin::typed(Zeroizing::new("1".repeat(LONGEST_PIN))).is_ok());
    }
}
