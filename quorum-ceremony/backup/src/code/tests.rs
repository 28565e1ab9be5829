use proptest::prelude::*;

use super::*;

fn codeword(row: u8, data: &[u8; DATA]) -> [Option<u8>; WRITTEN] {
    let all: Vec<u8> = data
        .iter()
        .chain(parity(row, data).iter())
        .copied()
        .collect();
    let all: [u8; WRITTEN] = all.try_into().unwrap();
    all.map(Some)
}

fn whole(written: &[Option<u8>; WRITTEN]) -> [u8; WRITTEN] {
    written.map(Option::unwrap)
}

fn data() -> impl Strategy<Value = [u8; DATA]> {
    prop::array::uniform11(0_u8..32)
}

/// `count` different places.
fn places(count: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence((0..WRITTEN).collect::<Vec<_>>(), count)
}

#[test]
fn the_field_is_that_of_x5_x2_1() {
    // The powers of 2 as they are in every table of this field.
    let powers: Vec<u8> = (0..31).map(|exponent| power(2, exponent)).collect();
    assert_eq!(powers[..8], [1, 2, 4, 8, 16, 5, 10, 20]);
    let all: std::collections::BTreeSet<u8> = powers.into_iter().collect();
    assert_eq!(all, (1..32).collect());
    for symbol in 1..32 {
        assert_eq!(multiply(symbol, inverse(symbol)), 1);
        assert_eq!(multiply(symbol, 0), 0);
        assert_eq!(multiply(0, symbol), 0);
    }
    // (x − 1)(x − α)(x − α²)(x − α³), multiplied out here.
    let mut product = vec![1_u8];
    for exponent in 0..4 {
        let root = power(2, exponent);
        let mut next = product.clone();
        next.push(0);
        for (to, from) in next.iter_mut().skip(1).zip(&product) {
            *to ^= multiply(*from, root);
        }
        product = next;
    }
    assert_eq!(product[0], 1);
    assert_eq!(product[1..], GENERATOR);
}

/// Every pair of wrong characters there is. The code is linear, so one row stands for all.
#[test]
fn every_two_wrong_characters_fails_closed() {
    let good = codeword(1, &[0; DATA]);
    for first in 0..WRITTEN {
        for second in first + 1..WRITTEN {
            for errors in 0..31_u16 * 31 {
                let mut bad = good;
                for (place, error) in [(first, errors / 31), (second, errors % 31)] {
                    bad[place] =
                        bad[place].map(|symbol| symbol ^ (u8::try_from(error).unwrap() + 1));
                }
                assert_eq!(repair(1, &bad), Err(Irreparable::Beyond));
            }
        }
    }
}

proptest! {
    // The code is linear: what matters is where the errors are, and every case has all of them.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_wrong_character_is_repaired(row in 1_u8..=6, data in data()) {
        let good = codeword(row, &data);
        prop_assert_eq!(repair(row, &good).unwrap(), (Zeroizing::new(whole(&good)), Repaired::Nothing));
        for place in 0..WRITTEN {
            for error in 1..32 {
                let mut bad = good;
                bad[place] = bad[place].map(|symbol| symbol ^ error);
                let (repaired, how) = repair(row, &bad).unwrap();
                prop_assert_eq!(*repaired, whole(&good));
                prop_assert_eq!(how, Repaired::Wrong(place));
            }
        }
    }

    #[test]
    fn every_set_of_unreadable_characters_is_filled_in(row in 1_u8..=6, data in data()) {
        let good = codeword(row, &data);
        for first in 0..WRITTEN {
            for second in first..WRITTEN {
                for third in second..WRITTEN {
                    let mut bad = good;
                    for place in [first, second, third] {
                        bad[place] = None;
                    }
                    let (repaired, how) = repair(row, &bad).unwrap();
                    prop_assert_eq!(*repaired, whole(&good));
                    prop_assert_eq!(how, Repaired::Filled);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn two_or_three_wrong_characters_fails_closed(
        row in 1_u8..=6, data in data(), places in (2_usize..=3).prop_flat_map(places),
        errors in prop::array::uniform3(1_u8..32),
    ) {
        let good = codeword(row, &data);
        let mut bad = good;
        for (place, error) in places.iter().zip(errors) {
            bad[*place] = bad[*place].map(|symbol| symbol ^ error);
        }
        let beyond = repair(row, &bad).unwrap_err();
        // Three may look like one wrong character of another row; they are refused all the same.
        prop_assert!(matches!(beyond, Irreparable::Beyond | Irreparable::OtherRow(_)));
        if places.len() == 2 {
            prop_assert_eq!(beyond, Irreparable::Beyond);
        }
        prop_assert!(repair(row, &good).is_ok());
    }

    #[test]
    fn wrong_beside_unreadable_fails_closed(
        row in 1_u8..=6, data in data(), unreadable in 1_usize..=3,
        places in places(4), errors in prop::array::uniform3(1_u8..32), wrong in 1_usize..=3,
    ) {
        prop_assume!(unreadable + wrong <= 4);
        let mut bad = codeword(row, &data);
        let (gone, wrong_at) = places.split_at(unreadable);
        for place in gone {
            bad[*place] = None;
        }
        for (place, error) in wrong_at.iter().zip(errors).take(wrong) {
            bad[*place] = bad[*place].map(|symbol| symbol ^ error);
        }
        prop_assert_eq!(repair(row, &bad).unwrap_err(), Irreparable::Beyond);
    }

    #[test]
    fn four_unreadable_characters_fails_closed(row in 1_u8..=6, data in data(), places in places(4)) {
        let mut bad = codeword(row, &data);
        for place in places {
            bad[place] = None;
        }
        prop_assert_eq!(repair(row, &bad).unwrap_err(), Irreparable::Unreadable(4));
    }

    #[test]
    fn a_row_under_the_number_of_another_fails_closed(
        row in 1_u8..=6, other in 1_u8..=6, data in data(),
        place in 0..WRITTEN, error in 1_u8..32,
    ) {
        prop_assume!(row != other);
        let mut bad = codeword(other, &data);
        prop_assert_eq!(repair(row, &bad).unwrap_err(), Irreparable::OtherRow(other));
        // And with one wrong character besides.
        bad[place] = bad[place].map(|symbol| symbol ^ error);
        prop_assert_eq!(repair(row, &bad).unwrap_err(), Irreparable::Beyond);
    }
}

/// How many of all rows are taken for good or for a good one with one wrong character. A row is
/// judged by its four syndromes alone, and each of the 2²⁰ syndromes belongs to equally many rows;
/// the last four symbols of a row reach each of them once.
#[test]
fn of_all_rows_466_in_2_to_the_20_pass() {
    let mut passed = 0_u32;
    for number in 0..1_u32 << 20 {
        let mut row = [Some(0); WRITTEN];
        for (place, shift) in (DATA..).zip([0, 5, 10, 15]).take(PARITY) {
            row[place] = Some(u8::try_from(number >> shift & 31).unwrap());
        }
        passed += u32::from(repair(1, &row).is_ok());
    }
    assert_eq!(passed, 466);
}
