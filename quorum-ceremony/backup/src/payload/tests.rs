use proptest::prelude::*;

use super::*;
use crate::bits::BITS;
use crate::fixture::Key;

fn refused(backup: &Backup, expected: &Expected<'_>) -> Mismatch {
    backup.prove(expected).err().expect("a mismatch")
}

#[test]
fn a_share_comes_back_as_it_was() {
    let key = Key::new(1);
    for share in 0..5 {
        let bits = key.backup(share).to_bits();
        let read = Backup::from_bits(&bits).ok().unwrap();
        let proved = read.prove(&key.expected(share)).ok().unwrap();
        assert_eq!(*proved.to_bytes(), *key.shares[share].to_bytes());
        assert_eq!(proved.index(), key.shares[share].index());
    }
}

#[test]
fn a_share_of_another_genesis_fails_closed() {
    let (key, other) = (Key::new(1), Key::new(2));
    let found = GenesisPrefix::of(&other.genesis);
    let expected = key.genesis;
    assert_eq!(
        refused(&other.backup(0), &key.expected(0)),
        Mismatch::Genesis { expected, found }
    );
    assert_eq!(found.to_string(), "0202…");
}

#[test]
fn a_share_of_another_epoch_fails_closed() {
    let (key, mut other) = (Key::new(1), Key::new(2));
    other.genesis = key.genesis;
    let found = EpochPrefix::of(&other.commitments.epoch());
    let expected = key.commitments.epoch();
    assert_eq!(
        refused(&other.backup(0), &key.expected(0)),
        Mismatch::Epoch { expected, found }
    );
    assert!(
        expected
            .to_string()
            .starts_with(EpochPrefix::of(&expected).to_string().trim_end_matches('…'))
    );
}

#[test]
fn a_share_of_another_member_fails_closed() {
    let key = Key::new(1);
    let [expected, found] = [0, 1].map(|share: usize| key.shares[share].index());
    assert_eq!(
        refused(&key.backup(1), &key.expected(0)),
        Mismatch::Index { expected, found }
    );
    assert!(key.backup(0).prove(&key.expected(0)).is_ok());
}

#[test]
fn a_rehearsed_share_in_a_real_ceremony_fails_closed() {
    let key = Key::new(1);
    let mut backup = key.backup(0);
    backup.label.origin = Origin::Rehearsal;
    let found = Origin::Rehearsal;
    assert_eq!(
        refused(&backup, &key.expected(0)),
        Mismatch::Origin { found }
    );
    let mut rehearsal = key.expected(0);
    rehearsal.origin = Origin::Rehearsal;
    let found = Origin::Hardware;
    assert_eq!(
        refused(&key.backup(0), &rehearsal),
        Mismatch::Origin { found }
    );
    assert!(backup.prove(&rehearsal).is_ok());
}

/// Prefixes can be made to agree. The commitments cannot.
#[test]
fn a_share_that_only_claims_to_be_the_right_one_fails_closed() {
    let key = Key::new(1);
    let index = key.shares[0].index();
    for lie in [
        // Another member's share under this index, a made-up one, one more than the right one.
        key.shares[1].to_bytes(),
        Zeroizing::new([7; SCALAR_LEN]),
        {
            let mut next = key.shares[0].to_bytes();
            next[31] = next[31].wrapping_add(1);
            next
        },
    ] {
        let backup = Backup {
            label: key.backup(0).label(),
            scalar: lie,
        };
        assert_eq!(
            refused(&backup, &key.expected(0)),
            Mismatch::Commitments { index }
        );
    }
}

#[test]
fn an_index_that_was_altered_together_with_its_checksum_fails_closed() {
    let key = Key::new(1);
    let mut backup = key.backup(1);
    backup.label.index = key.shares[0].index();
    let read = Backup::from_bits(&backup.to_bits()).ok().unwrap();
    assert_eq!(
        refused(&read, &key.expected(0)),
        Mismatch::Commitments {
            index: key.shares[0].index()
        }
    );
}

#[test]
fn every_flipped_bit_fails_closed() {
    let key = Key::new(3);
    let bits = key.backup(4).to_bits();
    for bit in 0..BITS + 6 {
        let mut flipped = bits.clone();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        let error = Backup::from_bits(&flipped).err();
        assert_eq!(
            error,
            Some(BackupError::Checksum { suspect: None }),
            "bit {bit}"
        );
    }
    assert!(Backup::from_bits(&bits).is_ok());
}

/// Bits with a right checksum.
fn sealed(change: impl FnOnce(&mut [u8; BYTES])) -> Bits {
    let mut bits = Key::new(1).backup(0).to_bits();
    change(&mut bits);
    bits[COVERED..].fill(0);
    let checksum = checksum(&bits);
    put(&mut *bits, COVERED * 8, 13, take(&checksum, 0, 13)).unwrap();
    put(&mut *bits, COVERED * 8 + 13, 13, take(&checksum, 13, 13)).unwrap();
    bits
}

#[test]
fn another_format_fails_closed() {
    let other = sealed(|bits| bits[0] = bits[0] & 0x1f | 2 << 5);
    assert_eq!(
        Backup::from_bits(&other).err(),
        Some(BackupError::Format { found: 2 })
    );
}

#[test]
fn an_index_or_value_no_share_has_fails_closed() {
    let no_index = sealed(|bits| {
        bits[0] &= 0xf0;
        bits[1] &= 0x0f;
    });
    let zero = sealed(|bits| bits[6..COVERED].fill(0));
    let too_large = sealed(|bits| bits[6..COVERED].fill(0xff));
    for bits in [no_index, zero, too_large] {
        assert_eq!(Backup::from_bits(&bits).err(), Some(BackupError::NoShare));
    }
}

proptest! {
    /// A wrong checksum is noticed; without one, noise would pass once in 2²⁶.
    #[test]
    fn what_is_read_is_written_alike(bytes in prop::collection::vec(any::<u8>(), COVERED)) {
        let bits = sealed(|bits| bits[..COVERED].copy_from_slice(&bytes));
        if let Ok(backup) = Backup::from_bits(&bits) {
            prop_assert_eq!(backup.to_bits(), bits);
        }
    }
}
