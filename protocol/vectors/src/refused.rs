//! `testdata/refused.json`: bytes another implementation must refuse.

use serde_json::json;

use crate::mutate::{Mutation, forms, structures};
use crate::samples::Sample;
use crate::{File, hex};

/// Structural changes that never make a valid object, whatever they are done to.
const ALWAYS_WRONG: [&str; 6] = [
    "a float",
    "a negative integer",
    "a tag",
    "an extra key",
    "null",
    "undefined",
];

pub(crate) fn file(samples: &[Sample]) -> File {
    let mut cases = Vec::new();
    for label in [
        "quorate/approval/v1",
        "quorate/share-grant/v1",
        "quorate/user-data/v1",
    ] {
        let mut of_kind = samples.iter().filter(|sample| sample.kind.label == label);
        let bytes = &of_kind.next().expect("a sample of every kind").bytes;
        let trailing = Mutation {
            what: "a byte after the end",
            path: Vec::new(),
            bytes: [bytes.as_slice(), &[0]].concat(),
        };
        let cut = Mutation {
            what: "the last byte missing",
            path: Vec::new(),
            bytes: bytes[..bytes.len() - 1].to_vec(),
        };
        let wrong = structures(bytes);
        let wrong = wrong.into_iter().filter(|m| ALWAYS_WRONG.contains(&m.what));
        let all = [trailing, cut].into_iter().chain(forms(bytes)).chain(wrong);
        cases.extend(all.map(|mutation| {
            json!({ "label": label, "what": mutation.what, "bytes": hex(&mutation.bytes) })
        }));
    }
    let value = json!({
        "about": "Bytes a decoder must refuse as the object of this label: not the canonical \
                  encoding, or an item the contract has nowhere.",
        "cases": cases,
    });
    crate::json("testdata/refused.json".into(), &value)
}
