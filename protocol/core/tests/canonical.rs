//! Decoders refuse everything that is not the one canonical encoding, whatever it is done to.

use quorate_protocol::cbor::DecodeError;
use quorate_protocol::invalid::Invalid;
use quorate_vectors::committed::{all_cases, cases};
use quorate_vectors::kinds::{KINDS, Kind};
use quorate_vectors::mutate::{Mutation, forms_of, structures_of};
use quorate_vectors::tree::Item;

/// Objects longer than this are made of others that are tried by themselves.
const LONGEST: usize = 1100;

/// Every change of this family and name, done to every item of every vector, is refused.
fn refused(family: fn(&[u8], &str) -> Vec<Mutation>, what: &str, at_least: usize) {
    let mut tried = 0;
    for case in all_cases()
        .iter()
        .filter(|case| case.bytes.len() <= LONGEST)
    {
        let kind = Kind::of(&case.label);
        let mut refuse = |again: fn(&[u8]) -> Result<Vec<u8>, DecodeError>, bytes: &[u8]| {
            for change in family(bytes, what) {
                let verdict = again(&change.bytes);
                let (label, name, path) = (&case.label, &case.name, &change.path);
                assert!(verdict.is_err(), "{label} {name}: {what} at {path:?}");
                tried += 1;
            }
        };
        refuse(kind.again, &case.bytes);
        if let (Some(signed), Some(with)) = (kind.signed, &case.signed) {
            refuse(signed.again, &with.cose_sign1);
        }
    }
    assert!(tried >= at_least, "{what}: only {tried} tried");
}

#[test]
fn indefinite_lengths_fails_closed() {
    refused(forms_of, "an indefinite length", 500);
}

#[test]
fn integers_and_lengths_longer_than_needed_fails_closed() {
    refused(forms_of, "a head longer than needed", 3000);
}

#[test]
fn map_keys_out_of_order_fails_closed() {
    refused(forms_of, "keys out of order", 300);
}

#[test]
fn repeated_map_keys_fails_closed() {
    refused(forms_of, "a key twice", 300);
}

#[test]
fn unknown_map_keys_fails_closed() {
    refused(structures_of, "an extra key", 500);
}

#[test]
fn floats_fails_closed() {
    refused(structures_of, "a float", 1000);
}

#[test]
fn tags_fails_closed() {
    refused(structures_of, "a tag", 1000);
}

#[test]
fn negative_integers_fails_closed() {
    refused(structures_of, "a negative integer", 1000);
}

#[test]
fn null_and_undefined_fails_closed() {
    refused(structures_of, "null", 1000);
    refused(structures_of, "undefined", 1000);
}

/// The one place where null would be understood: an optional field.
#[test]
fn null_for_an_absent_field_fails_closed() {
    let null = || Item::Raw(vec![0xf6]);
    for (stem, path, keys) in [
        ("manifest", vec![], vec![3, 4]),
        ("definition", vec![11], vec![3, 8]),
        ("evidence", vec![], vec![5]),
        ("response", vec![1], vec![1, 2, 3]),
    ] {
        let kind = KINDS
            .iter()
            .find(|kind| kind.stem() == stem)
            .expect("a kind");
        let (mut added, mut replaced) = (0, 0);
        for case in cases(stem) {
            let root = Item::read(&case.bytes);
            if stem == "response" && !case.name.starts_with("status") {
                continue;
            }
            let Item::Map(pairs) = root.at(&path) else {
                panic!("{stem}: no map at {path:?}");
            };
            for key in &keys {
                let key = Item::Unsigned(*key);
                let mut pairs = pairs.clone();
                match pairs.binary_search_by_key(&key.write(), |(key, _)| key.write()) {
                    Ok(position) => {
                        pairs[position].1 = null();
                        replaced += 1;
                    }
                    Err(position) => {
                        pairs.insert(position, (key, null()));
                        added += 1;
                    }
                }
                let bytes = root.with(&path, Item::Map(pairs)).write();
                let verdict = (kind.again)(&bytes);
                let label = kind.label;
                // A field that the manifest's rules demand is missing first.
                let rule = Invalid::Predecessor;
                let expected = [
                    Err(DecodeError::NotCanonical { label }),
                    Err(DecodeError::Rule { label, rule }),
                ];
                assert!(expected.contains(&verdict), "{}: {verdict:?}", case.name);
            }
        }
        assert!(
            added > 0 && (replaced > 0 || stem == "definition"),
            "{stem}"
        );
    }
}

#[test]
fn trailing_bytes_fails_closed() {
    for case in all_cases() {
        let kind = Kind::of(&case.label);
        for extra in [0x00, 0xf6, 0xff] {
            let bytes = [case.bytes.as_slice(), &[extra]].concat();
            let expected = DecodeError::Trailing {
                label: kind.label,
                position: case.bytes.len(),
            };
            assert_eq!((kind.again)(&bytes), Err(expected), "{}", case.name);
        }
    }
}

#[test]
fn every_shorter_input_fails_closed() {
    for case in all_cases()
        .iter()
        .filter(|case| case.bytes.len() <= LONGEST)
    {
        for length in 0..case.bytes.len() {
            let verdict = (Kind::of(&case.label).again)(&case.bytes[..length]);
            assert!(
                verdict.is_err(),
                "{} {}: {length} bytes",
                case.label,
                case.name
            );
        }
    }
}

/// Nothing is read of an input that is too long, so not even its first byte matters.
#[test]
fn input_longer_than_the_object_may_be_fails_closed() {
    for kind in KINDS {
        for first in [0xa0, 0x82, 0xff] {
            let mut bytes = vec![0; kind.max + 1];
            bytes[0] = first;
            let expected = DecodeError::TooLong {
                label: kind.label,
                max: kind.max,
                found: kind.max + 1,
            };
            assert_eq!((kind.again)(&bytes), Err(expected));
        }
    }
}

/// A field nobody knows may hold anything; the decoder skips it without recursion.
#[test]
fn a_million_nested_arrays_fails_closed() {
    for kind in KINDS {
        let depth = kind.max.min(1_000_000) - 8;
        for head in [
            &[][..],
            &[0xa1, 0x18, 0x63],
            &[0x82, 0x06],
            &[0x84, 0x43, 0xa1, 0x01, 0x26],
        ] {
            for nest in [0x81, 0xa1, 0x9f, 0xc1] {
                let bytes = [head, &vec![nest; depth]].concat();
                assert!((kind.again)(&bytes).is_err(), "{}", kind.label);
                if let Some(signed) = kind.signed {
                    assert!((signed.again)(&bytes).is_err(), "{}", kind.label);
                }
            }
        }
    }
}

/// An announced count is not believed: nothing is allocated for items that are not there.
#[test]
fn announced_lengths_beyond_the_input_fails_closed() {
    for case in all_cases()
        .iter()
        .filter(|case| case.bytes.len() <= LONGEST)
    {
        let kind = Kind::of(&case.label);
        let root = Item::read(&case.bytes);
        for path in root.paths() {
            let major = match root.at(&path) {
                Item::Bytes(_) | Item::Wrapped(_) => 2,
                Item::Text(_) => 3,
                Item::Array(_) => 4,
                Item::Map(_) => 5,
                _ => continue,
            };
            for length in [u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
                let head = [&[major << 5 | 27], &length.to_be_bytes()[..]].concat();
                let bytes = root.with(&path, Item::Raw(head)).write();
                assert!((kind.again)(&bytes).is_err(), "{} at {path:?}", case.label);
            }
        }
    }
}

/// The errors say what is wrong, where, with what.
#[test]
fn each_kind_of_error_names_its_object() {
    let approval = &cases("approval")[0].bytes;
    let label = "quorate/approval/v1";
    let again = Kind::of(label).again;
    let root = Item::read(approval);
    let with = |path: &[usize], item: Item| again(&root.with(path, item).write());

    let structure = DecodeError::Structure { label, position: 2 };
    assert_eq!(with(&[1], Item::Text("two".into())), Err(structure));
    let long = Item::Raw(vec![0x18, 0x01]);
    assert_eq!(with(&[1], long), Err(DecodeError::NotCanonical { label }));
    assert!(matches!(
        with(&[7], Item::Unsigned(0)),
        Err(DecodeError::Rule { .. })
    ));
    for (error, text) in [
        (
            DecodeError::NotCanonical { label },
            "not the canonical encoding, or an unknown key",
        ),
        (
            DecodeError::Structure { label, position: 2 },
            "unexpected structure at byte 2",
        ),
        (
            DecodeError::Trailing { label, position: 9 },
            "data after the end, at byte 9",
        ),
        (
            DecodeError::TooLong {
                label,
                max: 3,
                found: 4,
            },
            "4 bytes, at most 3 are accepted",
        ),
    ] {
        assert_eq!(error.to_string(), format!("{label}: {text}"));
    }
}

/// The fault of a signed object within another is reported under its own label.
#[test]
fn an_error_inside_a_signed_object_names_that_object() {
    let link = &cases("link")[0].bytes;
    let root = Item::read(link);
    let role = [3, 0, 2, 0, 1];
    assert_eq!(
        *root.at(&role),
        Item::Unsigned(1),
        "the role of the first approval"
    );
    let changed = root.with(&role, Item::Unsigned(9)).write();
    let label = "quorate/approval/v1";
    let expected = DecodeError::Structure { label, position: 2 };
    assert_eq!((Kind::of("quorate/link/v3").again)(&changed), Err(expected));
}
