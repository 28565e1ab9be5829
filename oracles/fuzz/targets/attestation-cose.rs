//! The fuzz target `attestation-cose`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-cose");
