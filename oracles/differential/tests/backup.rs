//! The words, rows and QR text of a share against bip39's list, data-encoding's base 32 and the
//! Reed–Solomon code of reed-solomon-32.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use data_encoding::{Encoding, Specification};
use proptest::prelude::*;
use quorate_protocol::digest::Digest;
use quorate_share_backup::rows::{self, Repair, RowNumber};
use quorate_share_backup::{Backup, Origin};
use quorate_sharing::{Secret, Share, ShareIndex};
use reed_solomon_32::{correct, encode};
use sha2::{Digest as _, Sha256};

const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PARITY: u8 = 4;

fn crockford() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str(ALPHABET);
    specification.encoding().expect("an alphabet of 32")
}

fn share(index: u8, seed: u8) -> Share {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let index = ShareIndex::new(index).expect("not zero");
    Share::from_bytes(index, &Secret::random(&mut rng).to_bytes()).expect("below the order")
}

/// The layout of format 1, laid out a second time: 42 bytes, of which 330 bits count.
fn laid_out(rehearsal: bool, genesis: &[u8; 32], epoch: &[u8; 32], share: &Share) -> Vec<u8> {
    let nibbles = |bytes: &[u8], count: usize| -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits[..count].to_owned()
    };
    // Three bits of format and one of origin are one digit, and so on: all but the checksum.
    let mut digits = if rehearsal { "3" } else { "2" }.to_owned();
    digits += &format!("{:02x}", share.index().get());
    digits += &nibbles(genesis, 4);
    digits += &nibbles(epoch, 5);
    digits += &nibbles(&*share.to_bytes(), 64);
    let covered: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
        .collect();
    assert_eq!(covered.len(), 38);
    let labelled = [b"quorate/share-backup/v1\0".as_slice(), &covered].concat();
    let checksum = Sha256::digest(labelled);
    let mut all = [covered, checksum[..4].to_vec()].concat();
    // 26 bits of it.
    all[41] &= 0b1100_0000;
    all
}

/// The row without spaces, as values.
fn values(text: &str) -> Vec<u8> {
    let known = text.chars().filter(|c| *c != ' ');
    let place = |c: char| ALPHABET.find(c).expect("of the alphabet");
    known
        .map(|c| u8::try_from(place(c)).expect("below 32"))
        .collect()
}

fn text(values: &[u8]) -> String {
    let known: Vec<char> = ALPHABET.chars().collect();
    values
        .iter()
        .map(|value| known[usize::from(*value)])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn words_rows_and_text_are_those_of_others(
        rehearsal: bool, genesis: [u8; 32], epoch: [u8; 32], index in 1_u8.., seed: u8,
    ) {
        let share = share(index, seed);
        let origin = if rehearsal { Origin::Rehearsal } else { Origin::Hardware };
        let ours = Backup::new(origin, &Digest::from_bytes(genesis), &Digest::from_bytes(epoch), &share);
        let theirs = laid_out(rehearsal, &genesis, &epoch, &share);
        let symbols = crockford().encode(&theirs);
        let symbols = &symbols[..66];
        let qr_text = format!("QUORATE:SHARE:1:{symbols}");
        prop_assert_eq!(&*ours.qr_text(), &qr_text);

        let list = bip39::Language::English.word_list();
        let bits: String = theirs.iter().map(|byte| format!("{byte:08b}")).collect();
        let words: Vec<&str> = (0..30)
            .map(|at| usize::from_str_radix(&bits[at * 11..at * 11 + 11], 2).expect("bits"))
            .map(|index| list[index])
            .collect();
        let our_words = ours.words();
        prop_assert_eq!(our_words.split_whitespace().collect::<Vec<_>>(), words);

        for (number, row) in (0_usize..).zip(ours.rows()) {
            let data = values(&symbols[number * 11..number * 11 + 11]);
            let known = [vec![row.number().get()], data].concat();
            let codeword = encode(&known, PARITY).expect("16 of 31");
            prop_assert_eq!(values(&row.text()), &codeword[1..]);
        }
    }

    /// What ours repairs, theirs repairs to the same. Theirs is let do more.
    #[test]
    fn rows_are_repaired_alike(
        seed: u8, number in 1_u8..=6, place in 0_usize..15, error in 1_u8..32,
        gone in prop::collection::btree_set(0_usize..15, 1..=3),
    ) {
        let share = share(7, seed);
        let zero = Digest::from_bytes([0; 32]);
        let backup = Backup::new(Origin::Hardware, &zero, &Digest::from_bytes([1; 32]), &share);
        let row = RowNumber::new(number).expect("one of six");
        let good = values(&backup.rows()[usize::from(number) - 1].text());

        let mut wrong = good.clone();
        wrong[place] ^= error;
        let (ours, repair) = rows::read(row, &text(&wrong)).expect("one wrong character");
        let theirs = [vec![number], wrong].concat();
        let theirs = correct(&theirs, PARITY, None).expect("one wrong symbol");
        prop_assert_eq!(values(&ours.text()), &theirs[1..]);
        prop_assert!(matches!(repair, Repair::Wrong(at) if at.get() == place + 1));

        let mut smudged: Vec<char> = text(&good).chars().collect();
        let mut zeroed = [vec![number], good.clone()].concat();
        for at in &gone {
            smudged[*at] = '?';
            zeroed[*at + 1] = 0;
        }
        let (ours, _) = rows::read(row, &smudged.into_iter().collect::<String>()).expect("three at most");
        let erased: Vec<u8> = gone.iter().map(|at| u8::try_from(at + 1).expect("small")).collect();
        let theirs = correct(&zeroed, PARITY, Some(&erased)).expect("three erasures");
        prop_assert_eq!(values(&ours.text()), &theirs[1..]);
        prop_assert_eq!(&theirs[1..], good);
    }
}
