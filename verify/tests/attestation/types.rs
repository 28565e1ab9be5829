//! Rule 5 for every field: each value that is not of the field's type, at its place in an otherwise
//! right and rightly signed document.

use quorate_verify::attestation::{AttestationError as E, CborProblem, CborType};

use crate::case::Case;
use crate::common::cbor::{Cbor, UNDEFINED};

const FIELDS: [(&str, CborType); 9] = [
    ("module_id", CborType::Text),
    ("digest", CborType::Text),
    ("timestamp", CborType::Unsigned),
    ("pcrs", CborType::Map),
    ("certificate", CborType::Bytes),
    ("cabundle", CborType::Array),
    ("public_key", CborType::Bytes),
    ("user_data", CborType::Bytes),
    ("nonce", CborType::Bytes),
];

/// A name, a value, and what it is.
type Named = (&'static str, fn() -> Cbor, CborType);

const VALUES: &[Named] = &[
    ("unsigned", || Cbor::Unsigned(7), CborType::Unsigned),
    ("negative", || Cbor::Negative(7), CborType::Negative),
    ("bytes", || Cbor::bytes(b"SHA384"), CborType::Bytes),
    ("text", || Cbor::text("SHA384"), CborType::Text),
    (
        "array",
        || Cbor::Array(vec![Cbor::bytes(&[1])]),
        CborType::Array,
    ),
    (
        "map",
        || Cbor::Map(vec![(Cbor::Unsigned(0), Cbor::bytes(&[1; 48]))]),
        CborType::Map,
    ),
    (
        "tag",
        || Cbor::Tag(24, Box::new(Cbor::bytes(&[1]))),
        CborType::Tag,
    ),
    ("null", || Cbor::Null, CborType::Null),
    ("true", || Cbor::Raw(vec![0xf5]), CborType::Simple),
    ("undefined", || Cbor::Raw(vec![UNDEFINED]), CborType::Simple),
    (
        "float",
        || Cbor::Raw(vec![0xfb, 0x42, 0x7a, 0, 0, 0, 0, 0, 0]),
        CborType::Simple,
    ),
];

/// Every wrong value of every field, with what the reader wanted and found.
pub(crate) fn refused() -> Vec<(String, Case, (CborType, CborType))> {
    let mut rows = Vec::new();
    for (field, expected) in FIELDS {
        let optional = matches!(field, "public_key" | "user_data" | "nonce");
        for (name, value, found) in VALUES {
            if *found == expected || optional && *found == CborType::Null {
                continue;
            }
            let mut case = Case::new();
            let mut payload = case.recipe.payload();
            payload.set(field, value());
            case.recipe.entries = Some(payload);
            let field = field.replace('_', "-");
            rows.push((format!("{field}-as-{name}"), case, (expected, *found)));
        }
    }
    rows
}

#[test]
fn every_value_of_another_type_fails_closed() {
    for (name, case, (expected, found)) in refused() {
        match case.verify() {
            Err(E::Cbor { problem, .. }) => {
                assert_eq!(
                    problem,
                    CborProblem::UnexpectedType { expected, found },
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
