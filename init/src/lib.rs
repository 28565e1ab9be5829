//! The enclave's first process.
