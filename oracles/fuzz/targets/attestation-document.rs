//! The fuzz target `attestation-document`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-document");
