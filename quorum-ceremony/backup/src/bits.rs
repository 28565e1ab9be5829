//! The 330 bits of a backup, cut into symbols of five bits or words of eleven.
//!
//! Bits count from the most significant of the first byte, as BIP-39 does. 330 is a multiple of
//! both, and of 55, so that one row of eleven symbols says what one line of five words says.

use zeroize::Zeroizing;

/// Bits of a backup.
pub(crate) const BITS: usize = 330;
/// Bytes that hold them; the last six bits are zero.
pub(crate) const BYTES: usize = BITS.div_ceil(8);
/// Symbols of five bits.
pub(crate) const SYMBOLS: usize = BITS / 5;
/// Words of eleven bits.
pub(crate) const WORDS: usize = BITS / 11;

/// All bits of a backup.
pub(crate) type Bits = Zeroizing<[u8; BYTES]>;

/// Bits as groups of `width` (at most 16), the first bit of a group the most significant.
pub(crate) fn split<const N: usize>(bits: &Bits, width: usize) -> Zeroizing<[u16; N]> {
    let mut groups = Zeroizing::new([0; N]);
    for (number, group) in groups.iter_mut().enumerate() {
        *group = take(&**bits, number.saturating_mul(width), width);
    }
    groups
}

/// The bits that these groups of `width` are; `None` if a group is too large.
pub(crate) fn join(groups: &[u16], width: usize) -> Option<Bits> {
    let mut bits = Zeroizing::new([0; BYTES]);
    for (number, group) in groups.iter().enumerate() {
        if usize::from(*group) >= 1 << width {
            return None;
        }
        put(&mut *bits, number.checked_mul(width)?, width, *group)?;
    }
    Some(bits)
}

/// `width` bits from bit `at` on. Bits after the end are zero.
pub(crate) fn take(bytes: &[u8], at: usize, width: usize) -> u16 {
    (at..at.saturating_add(width)).fold(0, |value, bit| {
        let byte = bytes.get(bit / 8).copied().unwrap_or_default();
        value << 1 | u16::from(byte >> (7 - bit % 8) & 1)
    })
}

/// Adds the `width` low bits of `value` at bit `at`, where there must be zeros.
pub(crate) fn put(bytes: &mut [u8], at: usize, width: usize, value: u16) -> Option<()> {
    for offset in 0..width {
        let bit = at.checked_add(offset)?;
        let one = u8::try_from(value >> (width - 1 - offset) & 1).ok()?;
        *bytes.get_mut(bit / 8)? |= one << (7 - bit % 8);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_widths_are_the_same_bits() {
        let mut bits: Bits = Zeroizing::new([0; BYTES]);
        for (at, byte) in bits.iter_mut().enumerate() {
            *byte = u8::try_from(at * 41 % 256).unwrap();
        }
        bits[BYTES - 1] &= 0b1100_0000;
        let symbols = split::<SYMBOLS>(&bits, 5);
        let words = split::<WORDS>(&bits, 11);
        assert_eq!(join(&*symbols, 5).unwrap(), bits);
        assert_eq!(join(&*words, 11).unwrap(), bits);
        assert_eq!(symbols[0], u16::from(bits[0] >> 3));
        assert_eq!(words[0], u16::from(bits[0]) << 3 | u16::from(bits[1] >> 5));
    }

    #[test]
    fn a_group_that_is_too_large_fails_closed() {
        assert!(join(&[32], 5).is_none());
        assert!(join(&[2048], 11).is_none());
        assert!(join(&[0; SYMBOLS + 1], 5).is_some());
        assert!(join(&[0; SYMBOLS + 2], 5).is_none());
    }
}
