//! A verdict on one attestation document, as a person or a program wants it.
//!
//! `quorate-verify` answers with a value or an error. Here is what stands around that answer wherever
//! it is shown: which bytes of a file are the document ([`input`]), what was demanded of it
//! ([`Demands`]), and the verdict with every check and every fact ([`Verdict`]), also as JSON. The
//! command line and the browser use the same code, so that they cannot say different things.
//!
//! Guarantees: the decision is that of `quorate_verify::attestation` and of the demands, nothing is
//! added to it and nothing taken away. Facts are shown only of a document whose signatures are right,
//! also where it is refused for another reason.
//!
//! Trusts: the root and the moment that the caller names. It reads no file and no clock.
//!
//! Does not: speak to people beyond the sentences of checks and refusals.

#![forbid(unsafe_code)]

pub mod input;
mod verdict;

pub use self::verdict::{At, Check, Demands, Refusal, Root, Verdict, moment};
