//! The enclave's first process, as a library.
//!
//! Guarantees: an enclave holds nothing until an approved manifest was checked along its chain and
//! the people it names have given their shares; a refused request changes nothing, any number of
//! them; secrets are erased when their phase ends; the key leaves only to an attested enclave that
//! the manifests allow, and only after that was written down. `machine` routes requests, `genesis`,
//! `instance`, `import` and `export` are the phases as types, `server` is the event loop, `sandbox`
//! is the machine around it and around applications.
//!
//! Trusts: the NSM and the kernel of its image. Nothing that comes over a socket.
//!
//! Does not: reshare.
//!
//! The library is generic over what it stands on ([`Platform`]), so that the same code runs against
//! the real Nitro Security Module and against an emulated one. No Cargo feature selects between
//! them: the binary of this package names `/dev/nsm` and vsock and nothing else, and a program that
//! wants another device brings its own platform.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod anchor;
mod applications;
mod clock;
mod device;
mod drill;
mod entropy;
mod export;
mod genesis;
mod import;
mod instance;
mod log;
mod machine;
mod memory;
pub mod nsm;
mod platform;
mod refuse;
mod reshare;
mod sandbox;
mod server;
mod sys;
mod uploads;

pub use memory::available_memory;
pub use platform::Platform;
pub use refuse::Halt;
pub use sandbox::{Confinement, FirstProcess, PARENT, end};
pub use server::{FRAME, IDLE, MAX_CONNECTIONS, run};
