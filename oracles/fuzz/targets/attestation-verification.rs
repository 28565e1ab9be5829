//! The fuzz target `attestation-verification`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-verification");
