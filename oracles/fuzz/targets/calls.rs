//! The fuzz target `calls`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("calls");
