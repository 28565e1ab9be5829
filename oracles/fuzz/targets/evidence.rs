//! The fuzz target `evidence`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("evidence");
