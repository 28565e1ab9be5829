//! Integers of 256 bits: text, arithmetic, order, against 128-bit integers and by hand.

use proptest::prelude::*;
use quorate_chain::{U256, UintError};

const MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

#[test]
fn the_largest_value_is_read_and_printed() {
    assert_eq!(U256::from_decimal(MAX), Ok(U256::MAX));
    assert_eq!(U256::MAX.to_string(), MAX);
    let hex = format!("0x{}", "f".repeat(64));
    assert_eq!(U256::from_hex(&hex), Ok(U256::MAX));
    assert_eq!(format!("{:#x}", U256::MAX), hex);
    assert_eq!(U256::ZERO.to_string(), "0");
    assert_eq!(format!("{:#x}", U256::ZERO), "0x0");
    assert_eq!(U256::from_hex("0x00000001"), Ok(U256::ONE));
}

#[test]
fn text_that_is_no_integer_fails_closed() {
    let decimal = |text: &str| U256::from_decimal(text).expect_err("refused");
    assert_eq!(decimal(""), UintError::Empty);
    assert_eq!(decimal("00"), UintError::LeadingZero);
    assert_eq!(decimal("01"), UintError::LeadingZero);
    for (text, offset) in [
        ("+1", 0),
        ("-1", 0),
        (" 1", 0),
        ("1_000", 1),
        ("1e3", 1),
        ("1.0", 1),
        ("1é", 1),
    ] {
        assert_eq!(decimal(text), UintError::Digit { offset }, "{text}");
    }
    let one_more = format!("{}6", &MAX[..MAX.len() - 1]);
    assert_eq!(decimal(&one_more), UintError::Overflow);
    assert_eq!(decimal(&format!("{MAX}0")), UintError::Overflow);
    let hex = |text: &str| U256::from_hex(text).expect_err("refused");
    assert_eq!(hex(""), UintError::Digit { offset: 0 });
    assert_eq!(hex("ff"), UintError::Digit { offset: 0 });
    assert_eq!(hex("0x"), UintError::Empty);
    assert_eq!(hex("0xfg"), UintError::Digit { offset: 3 });
    assert_eq!(hex(&format!("0x1{}", "0".repeat(64))), UintError::Overflow);
}

#[test]
fn arithmetic_beyond_256_bits_is_refused() {
    assert_eq!(U256::MAX.checked_add(U256::ONE), None);
    assert_eq!(U256::ZERO.checked_sub(U256::ONE), None);
    assert_eq!(U256::MAX.checked_mul(U256::from(2u64)), None);
    let half = U256::from(u128::MAX);
    let square = half.checked_mul(half).expect("256 bits");
    let twice = half.checked_add(half).expect("129 bits");
    let sum = square.checked_add(twice);
    assert_eq!(sum, Some(U256::MAX));
}

proptest! {
    #[test]
    fn small_values_agree_with_128_bits(a: u64, b: u64) {
        let (x, y) = (U256::from(a), U256::from(b));
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        let (a, b) = (u128::from(a), u128::from(b));
        prop_assert_eq!(x.checked_add(y), Some(U256::from(a + b)));
        prop_assert_eq!(x.checked_mul(y), Some(U256::from(a * b)));
        prop_assert_eq!(x.checked_sub(y), a.checked_sub(b).map(U256::from));
        prop_assert_eq!(U256::from(a * b).to_string(), (a * b).to_string());
    }

    #[test]
    fn text_is_read_again(bytes: [u8; 32], zeros in 0usize..32) {
        let mut bytes = bytes;
        bytes[..zeros].fill(0);
        let value = U256::from_be_bytes(&bytes);
        prop_assert_eq!(value.to_be_bytes(), bytes);
        prop_assert_eq!(U256::from_decimal(&value.to_string()), Ok(value));
        prop_assert_eq!(U256::from_hex(&format!("{value:#x}")), Ok(value));
    }

    /// The order is that of the bytes.
    #[test]
    fn order_is_that_of_the_bytes(a: [u8; 32], b: [u8; 32]) {
        prop_assert_eq!(U256::from_be_bytes(&a).cmp(&U256::from_be_bytes(&b)), a.cmp(&b));
    }
}
