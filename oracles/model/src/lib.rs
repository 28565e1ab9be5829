//! The ceremony as a model that is checked exhaustively.
//!
//! [`ceremony`] is the life of enclaves and the members' decisions before a share leaves; its traces
//! are driven against the real init and the real verification in `tests/drive.rs`. [`reshare`] is
//! resharing, whose traces are driven likewise, the reading of the chain included, in
//! `tests/reshare.rs`. [`drill`] is drills beside instances and a resharing, with people among the
//! holders who are hostile; `tests/drill` drives it. [`surrogate`] is people who act for a member, driven in
//! `tests/surrogate.rs`.
//!
//! Guarantees: within its bounds (so many members and enclaves) every order and every repetition of
//! messages is looked at. Each property has a rule that, when it is broken on purpose, the checker
//! finds: a model that accepts everything would be noticed.
//!
//! Does not: model cryptography. A signature, a ciphertext or a document is what it claims to be, or
//! is one of the kinds of bad ones.

pub mod ceremony;
pub mod drill;
pub mod reshare;
pub mod surrogate;
mod traces;

pub use self::traces::traces;
