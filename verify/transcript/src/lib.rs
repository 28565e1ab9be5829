//! The transcript of a ceremony, as anyone can check it.
//!
//! A transcript is what the people of a ceremony did and saw, each in a chain of records of their
//! own that names the newest records of the others (`quorate_protocol::transcript`). Here it is
//! verified from one file, offline, with nothing of the ceremony's tools:
//!
//! * [`verify`] finds a record that was removed, altered, moved, forked, signed by somebody else or
//!   brought in from another ceremony, and names it;
//! * [`words`] are the fingerprint as people read it to each other;
//! * [`acting`] says when somebody who acts for a member is an author;
//! * [`disclose`] withholds lines without changing that fingerprint;
//! * [`report`] shows all of it as JSON and as one printable page.
//!
//! Trusts: the genesis or definition digest that the reader pins, and the fingerprint they were
//! told. Without those a transcript can only be consistent. What a record says is its author's
//! word; what is believed because of attestation or approvals is verified from those objects.
//!
//! Does not: find out that the newest records of an author were left out when nobody else's record,
//! no fingerprint and no pin names them. It reads no file and no clock.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod acting;
pub mod disclose;
mod error;
mod facts;
mod graph;
pub mod report;
mod verify;
pub mod words;

pub use self::error::TranscriptError;
pub use self::facts::{Said, moment, say};
pub use self::verify::{
    CLOCK_TOLERANCE_MS, Expected, Fingerprint, Line, Note, Verified, VerifiedRecord, verify,
    verify_named,
};
