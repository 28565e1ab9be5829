//! The fuzz target `approval`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("approval");
