//! The fuzz target `genesis-output`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("genesis-output");
