//! The enclave's first process, as a library.
//!
//! The library is generic over what it talks to, so that the same code runs against the real
//! Nitro Security Module and against an emulated one. No Cargo feature selects between them: the
//! binary of this package names `/dev/nsm` and nothing else, and a program that wants another
//! device brings its own [`nsm::Transport`].
//!
//! * [`nsm`] speaks to the Nitro Security Module.
//! * `sys` holds every `unsafe` block of this package.

pub mod nsm;
mod sys;
