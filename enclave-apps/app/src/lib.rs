//! The crate enclave applications are built on.
