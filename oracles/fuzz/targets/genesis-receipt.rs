//! The fuzz target `genesis-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("genesis-receipt");
