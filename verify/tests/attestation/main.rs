//! Attestation documents with one defect each, and what must still be accepted.
//!
//! Every document here is made by the tests' own security module in `tests/common`. It is right in
//! all parts but the one that the test names, is signed after the defect was made unless the
//! signature is the defect, and must be refused for exactly that reason.

#[path = "../common/mod.rs"]
mod common;

/// One test a row: the defect and the exact error. A row reads as a test for tools that look for
/// names.
macro_rules! refusals {
    ($(#[test] fn $name:ident: $defect:expr => $expected:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let mut case = crate::case::Case::new();
                let defect: fn(&mut crate::case::Case) = $defect;
                defect(&mut case);
                assert_eq!(case.verify().map(|_| ()), Err($expected));
            }
        )*
    };
}

/// One test a row: a change after which the document is still right.
macro_rules! acceptances {
    ($(#[test] fn $name:ident: $change:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let mut case = crate::case::Case::new();
                let change: fn(&mut crate::case::Case) = $change;
                change(&mut case);
                let attested = case.verify().unwrap();
                assert_eq!(
                    attested.document().module_id(),
                    crate::common::nitro::MODULE_ID
                );
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
mod mutations;
mod payload;
