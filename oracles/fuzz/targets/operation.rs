//! The fuzz target `operation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("operation");
