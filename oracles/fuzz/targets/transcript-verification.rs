//! The fuzz target `transcript-verification`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript-verification");
