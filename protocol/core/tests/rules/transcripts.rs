//! Rules of the transcript.

use quorate_protocol::cbor::from_bytes;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::transcript::{Entry, Heads, Leaf, Record};
use quorate_vectors::committed::cases;
use quorate_vectors::kinds::Kind;
use quorate_vectors::tree::Item;

use super::replaced;

/// The vector of a kind with this name, with the item at `path` replaced by `with`, is refused for
/// `rule`.
fn refused(stem: &str, name: &str, path: &[usize], with: Item, rule: &str) {
    let cases = cases(stem);
    let case = cases.iter().find(|case| case.name == name).expect("a case");
    let bytes = Item::read(&case.bytes).with(path, with).write();
    let again = Kind::of(&case.label).again;
    let error = again(&bytes).expect_err("it must be refused");
    assert!(error.to_string().contains(rule), "{error}");
}

#[test]
fn a_record_numbered_zero_fails_closed() {
    replaced::<Record>(
        "transcript-record",
        &[3],
        Item::Unsigned(0),
        &Invalid::SequenceZero,
    );
}

#[test]
fn a_predecessor_of_the_first_record_and_none_of_a_later_fails_closed() {
    // The first sample is alice's first record: as her second, it names nothing before it.
    replaced::<Record>(
        "transcript-record",
        &[3],
        Item::Unsigned(2),
        &Invalid::RecordPredecessor,
    );
    // The second is her second: as the first, it has a predecessor.
    let text = Invalid::RecordPredecessor.to_string();
    refused(
        "transcript-record",
        "provision",
        &[3],
        Item::Unsigned(1),
        &text,
    );
}

#[test]
fn a_record_that_names_its_own_author_among_others_fails_closed() {
    let cases = cases("transcript-record");
    let case = cases
        .iter()
        .find(|case| case.name == "provision")
        .expect("a case");
    let author = Item::read(&case.bytes).at(&[1]).clone();
    let text = Invalid::RecordSeen.to_string();
    refused("transcript-record", "provision", &[7, 0, 1], author, &text);
}

#[test]
fn heads_out_of_order_or_twice_fails_closed() {
    let cases = cases("transcript-heads");
    let case = cases
        .iter()
        .find(|case| case.name == "of two heads")
        .expect("a case");
    let Item::Array(heads) = Item::read(&case.bytes).at(&[3]).clone() else {
        panic!("a list of heads");
    };
    let text = Invalid::RecordSeen.to_string();
    let mut swapped = heads.clone();
    swapped.reverse();
    refused(
        "transcript-heads",
        "of two heads",
        &[3],
        Item::Array(swapped),
        &text,
    );
    let twice = vec![heads[0].clone(), heads[0].clone()];
    refused(
        "transcript-heads",
        "of two heads",
        &[3],
        Item::Array(twice),
        &text,
    );
    replaced::<Heads>(
        "transcript-heads",
        &[3],
        Item::Array(Vec::new()),
        &Invalid::ListLength {
            min: 1,
            max: 4096,
            found: 0,
        },
    );
}

#[test]
fn no_line_or_too_many_lines_fails_closed() {
    let digest = || Item::Bytes(vec![7; 32]);
    for found in [0, 65] {
        let lines = (0..found).map(|_| digest()).collect();
        let rule = Invalid::ListLength {
            min: 1,
            max: 64,
            found,
        };
        // The sample has no predecessor and no definition: fields 0, 1, 3, 5, 6, 7.
        replaced::<Record>("transcript-record", &[11], Item::Array(lines), &rule);
    }
}

#[test]
fn a_line_that_the_record_has_not_fails_closed() {
    // The sample withholds line 0 of two.
    let rule = Invalid::EntryLines;
    replaced::<Entry>("transcript-entry", &[3, 0, 1], Item::Unsigned(2), &rule);
}

#[test]
fn a_salt_of_another_length_fails_closed() {
    for found in [15, 17] {
        let rule = Invalid::Length {
            min: 16,
            max: 16,
            found,
        };
        let salt = Item::Bytes(vec![0; found]);
        replaced::<Leaf>("transcript-leaf", &[1], salt, &rule);
    }
}

#[test]
fn every_label_of_the_contract_fits_into_a_line() {
    for kind in quorate_vectors::kinds::KINDS {
        assert!(kind.label.len() <= 64, "{}", kind.label);
    }
    assert!(from_bytes::<Leaf>(&[]).is_err());
}
