//! The crate enclave applications are built on.
//!
//! An application is a static binary that init starts with a launch record as descriptor 3. This
//! crate reads the record, takes the keys, and gives the application its listening sockets, its
//! signing and decryption keys, and the means to prove what it says.
//!
//! ```no_run
//! let mut app = quorate_app::App::start()?;
//! let listener = app.listener(5100)?;
//! app.ready()?;
//! // … accept connections, and answer with app.prover().prove(kind, payload)
//! # Ok::<(), quorate_app::AppError>(())
//! ```
//!
//! Guarantees: secrets are in zeroizing types without `Debug` or `Clone`, the memory file they came
//! in is overwritten and closed, the process cannot be dumped or traced. A proof names namespace,
//! application and start, so it cannot be shown as another's.
//!
//! Trusts: init and the kernel. Not what comes over its sockets: see [`serve`] for bounds.
//!
//! Does not: keep time, store anything, talk to other applications (call edges come later).

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod error;
mod launch;
pub mod serve;
mod sys;

pub use error::AppError;
pub use launch::{App, Prover};
