//! The fuzz target `attestation-mutation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-mutation");
