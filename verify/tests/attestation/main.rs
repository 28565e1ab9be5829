//! Attestation documents with one defect each, and what must still be accepted.
//!
//! Every document here is made by the tests' own security module in `tests/common`. It is right in
//! all parts but the one that the test names, is signed after the defect was made unless the
//! signature is the defect, and must be refused for exactly that reason.

#[path = "../common/mod.rs"]
mod common;

/// One test a row: the defect and the exact error. A row reads as a test for tools that look for
/// names. The rows are also the corpus that other implementations can use (`vectors`).
macro_rules! refusals {
    ($(#[test] fn $name:ident: $defect:expr => $expected:expr;)*) => {
        pub(crate) const REFUSALS: &[crate::case::Refusal] = &[$(
            crate::case::Refusal {
                name: stringify!($name),
                defect: $defect,
                expected: || $expected,
            },
        )*];
        $(
            #[test]
            fn $name() {
                crate::case::refuses(REFUSALS, stringify!($name));
            }
        )*
    };
}

/// One test a row: a change after which the document is still right.
macro_rules! acceptances {
    ($(#[test] fn $name:ident: $change:expr;)*) => {
        pub(crate) const ACCEPTANCES: &[crate::case::Acceptance] = &[$(
            crate::case::Acceptance { name: stringify!($name), change: $change },
        )*];
        $(
            #[test]
            fn $name() {
                crate::case::accepts(ACCEPTANCES, stringify!($name));
            }
        )*
    };
}

mod accepted;
mod anchors;
mod case;
mod certificates;
mod chain;
mod envelope;
mod expectations;
mod freshness;
mod hostile;
mod identity;
mod links;
mod mutations;
mod oracle;
mod payload;
mod policy;
mod shapes;
mod types;
mod vectors;
mod verifier;
