//! The fuzz target `trust-anchor`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("trust-anchor");
