//! The fuzz target `eif`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("eif");
