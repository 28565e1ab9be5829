//! The fuzz target `genesis-exception`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("genesis-exception");
