//! The fuzz target `carried-attestation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("carried-attestation");
