//! The fuzz target `attestation-payload`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-payload");
