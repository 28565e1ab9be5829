//! The fuzz target `signed-genesis-exception`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-genesis-exception");
