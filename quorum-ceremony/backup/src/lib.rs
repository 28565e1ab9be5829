//! One share on paper: thirty words, or six rows of characters that repair themselves, or a QR
//! code.
//!
//! All three carry the same 330 bits ([`Backup`]): a format number, whether the share is of a
//! rehearsal, the share's index, the first digits of its genesis and epoch, the share itself, and a
//! checksum. [`Phrase`](words), [`rows`] and [`qr`] write and read them; [`sheet`] is the page to
//! print.
//!
//! Guarantees:
//!
//! * what is read has a checksum over everything, and [`Backup::prove`] gives out a share only if
//!   it is the one of that index under the commitments the caller trusts, f(i)·G = Σ iʲ·Aⱼ. So
//!   nothing that was misread or mis-repaired is ever a share;
//! * in each row one wrong or up to three unreadable characters are put right, with their places
//!   told; more wrong ones are noticed (the exact bounds stand in the file `code.rs`);
//! * no error holds a word, a character or a scalar, only places and numbers.
//!
//! Trusts: whoever calls, with the index, epoch, genesis and commitments that must be met.
//!
//! Does not: encrypt. Who finds such a paper has the share. It carries neither the member's signing
//! key nor their encryption key (`docs/design/0014-share-backup.md`). Memory of ours is wiped; the
//! encoder and the reader of QR codes are other people's and do not wipe theirs.

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

pub mod alphabet;
mod bits;
mod code;
pub mod payload;
pub mod qr;
pub mod rows;
pub mod sheet;
mod suspect;
pub mod words;

pub use payload::{Backup, BackupError, Expected, Label, Mismatch, Origin};

#[cfg(test)]
mod fixture;
