//! The fuzz target `pins`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("pins");
