//! The crate enclave applications are built on.
//!
//! An application is a static binary that init starts with a launch record as descriptor 3. This
//! crate reads the record, takes the keys, and gives the application its listening sockets, its
//! signing, decryption and storage keys, the means to prove what it says, time and randomness of
//! the NSM, calls to and from the applications that the manifest connects it with, and connections
//! to the destinations that the manifest lists for it.
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
//! Trusts: init and the kernel. Not what comes over its sockets: see [`serve`] for bounds, and
//! [`CallError`] for what another application can do to a call.
//!
//! Does not: store anything, sandbox itself.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod call;
mod clock;
mod control;
mod dial;
mod edge;
mod entropy;
mod error;
mod launch;
mod listening;
mod prover;
pub mod serve;
mod sys;

pub use call::{CALL_TIMEOUT, CallError, Caller, RENEWAL};
pub use clock::Clock;
pub use control::REPORTS_DROPPED;
pub use dial::{DIAL_TIMEOUT, DialError, Dialer};
pub use edge::Peer;
pub use entropy::Entropy;
pub use error::AppError;
pub use launch::{App, Reporter};
pub use listening::ListeningSocket;
pub use prover::Prover;
pub use quorate_protocol::control::ReportKind;
