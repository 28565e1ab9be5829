//! The fuzz target `carried-nonce`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("carried-nonce");
