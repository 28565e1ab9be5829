//! The fuzz target `attestation-certificate`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("attestation-certificate");
