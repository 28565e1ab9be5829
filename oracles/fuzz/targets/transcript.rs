//! The fuzz target `transcript`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("transcript");
